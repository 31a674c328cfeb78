//! The local key: 32 random bytes in a file of the data directory, from which every key of this service is derived.
//!
//! Whoever has the database alone has nothing: sealed credentials, hashes of access keys and of contents all need this
//! file. Replicas of one database hold copies of it. It is never overwritten; whether a missing one may be made anew is
//! for the caller to say, who knows if a database is already there that was sealed by it.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::{hmac, rand};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::private_file::{PrivateFileError, read_private_file, write_private_file};

/// The file's one line: this, then the key in hexadecimal.
const PREFIX: &str = "postrider-local-key-1:";
const KEY_BYTES: usize = 32;
/// RFC 5869's salt: public, and fixed for all time.
const SALT: &[u8] = b"postrider local key 1";

#[derive(Clone)]
pub struct LocalKey(Zeroizing<[u8; KEY_BYTES]>);

/// What a key is derived for. No key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    CredentialSealing,
    CredentialFingerprint,
    /// Tells whether a `request_id` comes again with the same content.
    ContentHash,
    /// Hashes of callers' keys.
    AccessKeys,
    PageTokens,
}

/// When the key came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Now,
    Earlier,
}

#[derive(Debug, thiserror::Error)]
pub enum LocalKeyError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{} is not a key file of Postrider: put back the one that belongs to this data directory", path.display())]
    Garbled { path: PathBuf },
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl LocalKeyError {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(PrivateFileError::Missing { .. }))
    }
}

impl LocalKey {
    /// For a data directory that may be new.
    pub fn load_or_create(path: &Path) -> Result<(Self, Created), LocalKeyError> {
        match Self::load(path) {
            Err(error) if error.is_missing() => {}
            loaded => return Ok((loaded?, Created::Earlier)),
        }
        match Self::create(path) {
            // Another process made it in between.
            Err(LocalKeyError::File(PrivateFileError::AlreadyThere { .. })) => {
                Ok((Self::load(path)?, Created::Earlier))
            }
            created => Ok((created?, Created::Now)),
        }
    }

    pub fn load(path: &Path) -> Result<Self, LocalKeyError> {
        let text = read_private_file(path)?;
        Self::parse(&text).ok_or_else(|| LocalKeyError::Garbled { path: path.to_owned() })
    }

    /// Fails if the file is already there.
    pub fn create(path: &Path) -> Result<Self, LocalKeyError> {
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        rand::fill(key.0.as_mut_slice()).map_err(|_| LocalKeyError::NoRandomness)?;
        write_private_file(path, key.to_text().as_bytes())?;
        Ok(key)
    }

    /// A key for one purpose (HKDF-SHA-256).
    pub fn derive(&self, purpose: KeyPurpose) -> Zeroizing<[u8; KEY_BYTES]> {
        self.expand(purpose.label())
    }

    /// Names the key without telling it, to find out early that a database was sealed by another.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&self.id_bytes())
    }

    pub(crate) fn id_bytes(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(&self.expand("postrider/1/key-id")[..8]);
        id
    }

    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let digits = line.strip_prefix(PREFIX)?.as_bytes();
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        if digits.len() != 2 * KEY_BYTES {
            return None;
        }
        HEXLOWER.decode_mut(digits, key.0.as_mut_slice()).ok().map(|_| key)
    }

    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * KEY_BYTES + 1));
        text.push_str(PREFIX);
        HEXLOWER.encode_append(self.0.as_slice(), &mut text);
        text.push('\n');
        text
    }

    /// RFC 5869 for one block of output, which HMAC gives without a way to fail.
    fn expand(&self, label: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let extract = hmac::Key::new(hmac::HMAC_SHA256, SALT);
        let expand = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, self.0.as_slice()).as_ref());
        let mut context = hmac::Context::with_key(&expand);
        context.update(label.as_bytes());
        context.update(&[1]);
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        derived.copy_from_slice(context.sign().as_ref());
        derived
    }
}

impl KeyPurpose {
    /// Fixed for all time: what was sealed or hashed under it could not be read otherwise.
    fn label(self) -> &'static str {
        match self {
            Self::CredentialSealing => "postrider/1/credential-sealing",
            Self::CredentialFingerprint => "postrider/1/credential-fingerprint",
            Self::ContentHash => "postrider/1/content-hash",
            Self::AccessKeys => "postrider/1/access-keys",
            Self::PageTokens => "postrider/1/page-tokens",
        }
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use aws_lc_rs::hkdf;

    use super::*;

    #[test]
    fn a_key_made_once_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        let (made, created) = LocalKey::load_or_create(&path).unwrap();
        assert_eq!(created, Created::Now);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let (found, created) = LocalKey::load_or_create(&path).unwrap();
        assert_eq!(created, Created::Earlier);
        assert_eq!(made.id(), found.id());
        assert_eq!(made.derive(KeyPurpose::ContentHash), found.derive(KeyPurpose::ContentHash));
    }

    #[test]
    fn two_keys_are_never_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let one = LocalKey::create(&folder.path().join("one")).unwrap();
        let other = LocalKey::create(&folder.path().join("other")).unwrap();
        assert_ne!(one.id(), other.id());
        assert_ne!(one.derive(KeyPurpose::AccessKeys), other.derive(KeyPurpose::AccessKeys));
    }

    #[test]
    fn a_missing_key_is_made_only_when_that_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        let refused = LocalKey::load(&path).unwrap_err();
        assert!(refused.is_missing());
        assert_eq!(refused.to_string(), format!("{} is missing", path.display()));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        let made = LocalKey::create(&path).unwrap();
        assert!(LocalKey::create(&path).is_err());
        assert_eq!(LocalKey::load(&path).unwrap().id(), made.id());
    }

    #[test]
    fn rights_are_checked_at_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        LocalKey::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = LocalKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("run `chmod 600 {}`", path.display())), "{refused}");
    }

    #[test]
    fn a_garbled_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        let good = LocalKey::of_bytes([1; 32]).to_text().to_string();
        let garbled = [
            "",
            "\n",
            "secret",
            PREFIX,
            &good[..good.len() - 3],
            &good.replace('1', "g"),
            &format!("{good}x"),
        ];
        for text in garbled {
            write_private_file(&path, text.as_bytes()).unwrap();
            let refused = LocalKey::load_or_create(&path).unwrap_err();
            assert!(matches!(refused, LocalKeyError::Garbled { .. }), "{text:?}: {refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            fs::remove_file(&path).unwrap();
        }
        write_private_file(&path, good.as_bytes()).unwrap();
        assert_eq!(LocalKey::load(&path).unwrap().id(), LocalKey::of_bytes([1; 32]).id());
    }

    #[test]
    fn derivation_is_hkdf_as_the_library_computes_it() {
        let label = KeyPurpose::CredentialSealing.label();
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&[5; 32]);
        let mut expected = [0; 32];
        prk.expand(&[label.as_bytes()], hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
        assert_eq!(*LocalKey::of_bytes([5; 32]).derive(KeyPurpose::CredentialSealing), expected);
    }

    #[test]
    fn debug_tells_the_id_and_not_the_key() {
        let key = LocalKey::of_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), format!("LocalKey({})", key.id()));
        assert!(!format!("{key:?}").contains("abab"));
    }
}
