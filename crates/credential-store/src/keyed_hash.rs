use aws_lc_rs::{constant_time, hmac};

use crate::framing::frame;
use crate::{KeyPurpose, LocalKey};

/// HMAC-SHA-256 for one purpose. Without the local key its hashes tell nothing, not even of guesses.
#[derive(Debug, Clone)]
pub struct KeyedHash(hmac::Key);

impl KeyedHash {
    pub fn new(key: &LocalKey, purpose: KeyPurpose) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.derive(purpose).as_slice()))
    }

    /// The parts count with their bounds: `["ab", "c"]` is not `["a", "bc"]`.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        frame(parts, |piece| context.update(piece));
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }

    /// Compares in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], hash: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.hash(parts), hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_hash() -> KeyedHash {
        KeyedHash::new(&LocalKey::of_bytes([7; 32]), KeyPurpose::ContentHash)
    }

    #[test]
    fn parts_count_with_their_bounds() {
        let hash = content_hash();
        assert_ne!(hash.hash(&[b"ab", b"c"]), hash.hash(&[b"a", b"bc"]));
        assert_ne!(hash.hash(&[b"a"]), hash.hash(&[b"a", b""]));
        assert_eq!(hash.hash(&[b"a", b"b"]), content_hash().hash(&[b"a", b"b"]));
    }

    #[test]
    fn only_its_own_hash_is_verified() {
        let hash = content_hash();
        let mut told = hash.hash(&[b"mail"]);
        assert!(hash.verify(&[b"mail"], &told));
        assert!(!hash.verify(&[b"nail"], &told));
        assert!(!hash.verify(&[b"mail"], &told[..31]));
        told[31] ^= 1;
        assert!(!hash.verify(&[b"mail"], &told));
    }

    #[test]
    fn another_purpose_or_key_gives_another_hash() {
        let other_purpose = KeyedHash::new(&LocalKey::of_bytes([7; 32]), KeyPurpose::AccessKeys);
        let other_key = KeyedHash::new(&LocalKey::of_bytes([8; 32]), KeyPurpose::ContentHash);
        let hash = content_hash().hash(&[b"mail"]);
        assert_ne!(hash, other_purpose.hash(&[b"mail"]));
        assert_ne!(hash, other_key.hash(&[b"mail"]));
    }
}
