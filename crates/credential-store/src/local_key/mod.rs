//! The local key: 32 random bytes, from which every key of this service is derived.
//!
//! Whoever has the database alone has nothing: sealed credentials, hashes of access keys and of contents all need it.
//! Replicas of one database hold copies of it. Where it lies is its keeper's to know ([`KeyKeeper`](crate::KeyKeeper));
//! here is what it is.
//!
//! Keys that only hash stay for ever, for nothing could be compared otherwise. The key that seals can be replaced: then
//! the text has the second form, in which the old derived keys stand beside a new root, so that what is replaced can
//! no longer be derived from anything.
//!
//! | form | text |
//! | --- | --- |
//! | 1 | `postrider-local-key-1:<root>` |
//! | 2 | `postrider-local-key-2`, then a line each: `id <id>`, `root <root>`, `key <label> <key>` …, `sealing <id> <key>` …, the one that seals first |

mod text;

use std::fmt;
use std::path::Path;

use aws_lc_rs::{hmac, rand};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::keeper::KeyError;
use crate::private_file::{PrivateFileError, read_private_file, write_private_file};

const KEY_BYTES: usize = 32;
/// RFC 5869's salt: public, and fixed for all time.
const SALT: &[u8] = b"postrider local key 1";

pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;
pub(crate) type SealingKeyId = [u8; 8];

#[derive(Clone)]
pub struct LocalKey {
    id: SealingKeyId,
    root: Key,
    /// Derived from a root that is gone, by their labels.
    kept: Vec<(String, Key)>,
    /// The one that seals, then those that still open.
    sealing: Vec<(SealingKeyId, Key)>,
}

/// What a key is derived for. No key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
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

impl LocalKey {
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self::of_root(random_key()?))
    }

    /// For a data directory that may be new.
    pub fn load_or_create(path: &Path) -> Result<(Self, Created), KeyError> {
        match Self::load(path) {
            Err(error) if error.is_missing() => {}
            loaded => return Ok((loaded?, Created::Earlier)),
        }
        match Self::create(path) {
            // Another process made it in between.
            Err(KeyError::File(PrivateFileError::AlreadyThere { .. })) => {
                Ok((Self::load(path)?, Created::Earlier))
            }
            created => Ok((created?, Created::Now)),
        }
    }

    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read_private_file(path)?;
        Self::parse(&text).ok_or_else(|| KeyError::Garbled { path: path.to_owned() })
    }

    /// Fails if the file is already there.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let key = Self::generate()?;
        write_private_file(path, key.to_text().as_bytes())?;
        Ok(key)
    }

    /// A key for one purpose (HKDF-SHA-256).
    pub fn derive(&self, purpose: KeyPurpose) -> Key {
        let kept = self.kept.iter().find(|(label, _)| label == purpose.label());
        kept.map_or_else(|| expand(&self.root, purpose.label()), |(_, key)| key.clone())
    }

    /// Names the key without telling it, to find out early that a database was sealed by another. It stays when the key
    /// that seals is replaced.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&self.id)
    }

    /// The one that seals, then those that still open.
    pub(crate) fn sealing_keys(&self) -> &[(SealingKeyId, Key)] {
        &self.sealing
    }

    /// Whether one that seals no more still has to open.
    pub(crate) fn is_being_replaced(&self) -> bool {
        self.sealing.len() > 1
    }

    /// The same key with a new one that seals; the one until now still opens.
    pub(crate) fn with_new_sealing_key(&self) -> Result<Self, KeyError> {
        let kept = KeyPurpose::ALL.map(|purpose| (purpose.label().to_owned(), self.derive(purpose)));
        let (mut id, key) = ([0; 8], random_key()?);
        rand::fill(&mut id).map_err(|_| KeyError::NoRandomness)?;
        let mut sealing = vec![(id, key)];
        sealing.extend(self.sealing.iter().cloned());
        Ok(Self { id: self.id, root: random_key()?, kept: kept.into(), sealing })
    }

    /// The same key without those that only open.
    pub(crate) fn with_newest_sealing_key_alone(&self) -> Self {
        let mut key = self.clone();
        key.sealing.truncate(1);
        key
    }

    fn of_root(root: Key) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&expand(&root, "postrider/1/key-id")[..8]);
        let sealing = vec![(id, expand(&root, SEALING_LABEL))];
        Self { id, root, kept: Vec::new(), sealing }
    }

    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self::of_root(Zeroizing::new(bytes))
    }
}

fn random_key() -> Result<Key, KeyError> {
    let mut key = Key::default();
    rand::fill(key.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
    Ok(key)
}

/// RFC 5869 for one block of output, which HMAC gives without a way to fail.
fn expand(root: &Key, label: &str) -> Key {
    let extract = hmac::Key::new(hmac::HMAC_SHA256, SALT);
    let expand = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, root.as_slice()).as_ref());
    let mut context = hmac::Context::with_key(&expand);
    context.update(label.as_bytes());
    context.update(&[1]);
    let mut derived = Key::default();
    derived.copy_from_slice(context.sign().as_ref());
    derived
}

/// Fixed for all time, as the labels of [`KeyPurpose`].
const SEALING_LABEL: &str = "postrider/1/credential-sealing";

impl KeyPurpose {
    /// All: the second form of the text keeps each of them.
    const ALL: [Self; 4] =
        [Self::CredentialFingerprint, Self::ContentHash, Self::AccessKeys, Self::PageTokens];

    /// Fixed for all time: what was hashed under it could not be compared otherwise.
    fn label(self) -> &'static str {
        match self {
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
            "postrider-local-key-1:",
            &good[..good.len() - 3],
            &good.replace('1', "g"),
            &format!("{good}x"),
        ];
        for text in garbled {
            write_private_file(&path, text.as_bytes()).unwrap();
            let refused = LocalKey::load_or_create(&path).unwrap_err();
            assert!(matches!(refused, KeyError::Garbled { .. }), "{text:?}: {refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            fs::remove_file(&path).unwrap();
        }
        write_private_file(&path, good.as_bytes()).unwrap();
        assert_eq!(LocalKey::load(&path).unwrap().id(), LocalKey::of_bytes([1; 32]).id());
    }

    #[test]
    fn derivation_is_hkdf_as_the_library_computes_it() {
        let label = SEALING_LABEL;
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&[5; 32]);
        let mut expected = [0; 32];
        prk.expand(&[label.as_bytes()], hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
        assert_eq!(*LocalKey::of_bytes([5; 32]).sealing_keys()[0].1, expected);
    }

    #[test]
    fn debug_tells_the_id_and_not_the_key() {
        let key = LocalKey::of_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), format!("LocalKey({})", key.id()));
        assert!(!format!("{key:?}").contains("abab"));
    }

    #[test]
    fn a_new_sealing_key_leaves_all_else_as_it_was() {
        let first = LocalKey::of_bytes([5; 32]);
        let both = LocalKey::parse(&first.with_new_sealing_key().unwrap().to_text()).unwrap();
        let after = LocalKey::parse(&both.with_newest_sealing_key_alone().to_text()).unwrap();
        for key in [&both, &after] {
            assert_eq!(key.id(), first.id());
            for purpose in KeyPurpose::ALL {
                assert_eq!(key.derive(purpose), first.derive(purpose), "{purpose:?}");
            }
            assert_ne!(key.root, first.root, "what was replaced cannot be derived again");
        }
        assert_eq!(both.sealing_keys()[1], first.sealing_keys()[0]);
        assert_ne!(both.sealing_keys()[0], first.sealing_keys()[0]);
        assert_eq!(after.sealing_keys(), &both.sealing_keys()[..1]);
        assert!(both.is_being_replaced() && !after.is_being_replaced() && !first.is_being_replaced());
    }

    #[test]
    fn no_two_purposes_share_a_label() {
        let mut labels = KeyPurpose::ALL.map(KeyPurpose::label).to_vec();
        labels.push(SEALING_LABEL);
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), KeyPurpose::ALL.len() + 1);
    }
}
