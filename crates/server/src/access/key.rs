//! What an access key looks like: `pr_<id>_<secret><checksum>`.
//!
//! The id is 80 random bits and names the key, the secret is 256 random bits, both in lower-case base32. The checksum is
//! 40 bits of SHA-256 over what stands before it, so that a scanner of leaked text can tell a key from noise, and a
//! mistyped key is refused without asking the database.

use aws_lc_rs::{digest, rand};
use data_encoding::BASE32_NOPAD;
use postrider_credential_store::KeyedHash;
use postrider_store::{KeyHash, KeyId};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};

const PREFIX: &str = "pr_";
const SCHEME: &str = "bearer ";
const ID_BYTES: usize = 10;
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 5;
/// Characters of base32.
const ID_CHARS: usize = 16;
const SECRET_CHARS: usize = 52;
const CHECKSUM_CHARS: usize = 8;

const _: () = assert!(ID_CHARS == (ID_BYTES * 8).div_ceil(5));
const _: () = assert!(SECRET_CHARS == (SECRET_BYTES * 8).div_ceil(5));
const _: () = assert!(CHECKSUM_CHARS == (CHECKSUM_BYTES * 8).div_ceil(5));

/// A key just made: what is stored of it, and what is shown once.
#[derive(Debug)]
pub struct Minted {
    pub id: KeyId,
    pub hash: KeyHash,
    /// The whole `pr_…` text.
    pub text: SecretString,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl Minted {
    pub(super) fn fresh(pepper: &KeyedHash) -> Result<Self, NoRandomness> {
        let mut id = [0; ID_BYTES];
        let mut secret = SecretBox::new(Box::new([0; SECRET_BYTES]));
        rand::fill(&mut id).map_err(|_| NoRandomness)?;
        rand::fill(secret.expose_secret_mut()).map_err(|_| NoRandomness)?;
        let id = base32(&id);
        let body = format!("{PREFIX}{id}_{}", base32(secret.expose_secret()));
        let text = SecretString::from(format!("{body}{}", checksum(&body)));
        Ok(Self { hash: hash(pepper, &secret), id: KeyId::of_text(id), text })
    }
}

/// A well-formed key that a caller showed; whether it is one of ours is not known yet.
#[derive(Debug)]
pub(super) struct PresentedKey {
    pub(super) id: KeyId,
    secret: SecretBox<[u8; SECRET_BYTES]>,
}

/// What stands behind the scheme, which may be spelled in any case.
pub(super) fn bearer(authorization: &[u8]) -> Option<&str> {
    let (scheme, shown) = std::str::from_utf8(authorization).ok()?.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| shown.trim_ascii())
}

/// Whether it means to be a key, and not another's token.
pub(super) fn is_ours(shown: &str) -> bool {
    shown.starts_with(PREFIX)
}

impl PresentedKey {
    /// From `Bearer pr_…`.
    pub(super) fn of_authorization(value: &[u8]) -> Option<Self> {
        Self::parse(bearer(value)?)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECKSUM_CHARS)?)?;
        let (id, secret) = body.strip_prefix(PREFIX)?.split_once('_')?;
        if id.len() != ID_CHARS || secret.len() != SECRET_CHARS || check != checksum(body) {
            return None;
        }
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !id.bytes().chain(secret.bytes()).all(lower) {
            return None;
        }
        let mut decoded = SecretBox::new(Box::new([0; SECRET_BYTES]));
        let upper = SecretString::from(secret.to_ascii_uppercase());
        BASE32_NOPAD.decode_mut(upper.expose_secret().as_bytes(), decoded.expose_secret_mut()).ok()?;
        Some(Self { id: KeyId::of_text(id), secret: decoded })
    }

    /// Whether this is the secret of the stored hash. Without one the work is the same, and the answer no.
    pub(super) fn matches(&self, stored: Option<KeyHash>, pepper: &KeyedHash) -> bool {
        let equal = pepper.verify(&[self.secret.expose_secret()], &stored.unwrap_or(KeyHash([0; 32])).0);
        equal & stored.is_some()
    }
}

fn hash(pepper: &KeyedHash, secret: &SecretBox<[u8; SECRET_BYTES]>) -> KeyHash {
    KeyHash(pepper.hash(&[secret.expose_secret()]))
}

fn checksum(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    base32(&digest.as_ref()[..CHECKSUM_BYTES])
}

fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::tests::pepper;
    use super::*;

    #[test]
    fn a_key_is_a_prefix_an_id_a_secret_and_a_checksum_in_lower_case() {
        let minted = Minted::fresh(&pepper()).unwrap();
        let text = minted.text.expose_secret();
        assert_eq!(text.len(), 3 + 16 + 1 + 52 + 8);
        assert!(text.starts_with(&format!("pr_{}_", minted.id)), "the id is in the text");
        assert!(text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_ne!(text, Minted::fresh(&pepper()).unwrap().text.expose_secret());
    }

    #[test]
    fn what_was_minted_is_known_again_by_its_hash_alone() {
        let (minted, other) = (Minted::fresh(&pepper()).unwrap(), Minted::fresh(&pepper()).unwrap());
        let presented = PresentedKey::parse(minted.text.expose_secret()).unwrap();
        assert_eq!(presented.id, minted.id);
        assert!(presented.matches(Some(minted.hash), &pepper()));
        assert!(!presented.matches(Some(other.hash), &pepper()));
        assert!(!presented.matches(None, &pepper()));
    }

    #[test]
    fn a_key_with_any_character_changed_is_no_key() {
        let minted = Minted::fresh(&pepper()).unwrap();
        let text = minted.text.expose_secret();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert!(PresentedKey::parse(std::str::from_utf8(&bytes).unwrap()).is_none(), "at {at}");
        }
        for other in [&text[1..], &text[..text.len() - 1], &text.to_ascii_uppercase(), "", "pr_", "pr__", "é"]
        {
            assert!(PresentedKey::parse(other).is_none());
        }
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let minted = Minted::fresh(&pepper()).unwrap();
        let text = minted.text.expose_secret();
        for (value, known) in [
            (format!("Bearer {text}"), true),
            (format!("bearer {text}"), true),
            (format!("Bearer  {text} "), true),
            (format!("Basic {text}"), false),
            (format!("Bearer{text}"), false),
            (text.to_owned(), false),
            ("Bearer ".to_owned(), false),
        ] {
            assert_eq!(PresentedKey::of_authorization(value.as_bytes()).is_some(), known);
        }
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let minted = Minted::fresh(&pepper()).unwrap();
        let text = minted.text.expose_secret().to_owned();
        let presented = PresentedKey::parse(&text).unwrap();
        let printed = format!("{minted:?} {presented:?}");
        assert!(!printed.contains(&text[20..40]), "{printed}");
    }
}
