//! Content and subjects, sealed by a data key of their reseller's.
//!
//! A data key is sealed as a credential is, under a version's name that no credential has, so that a change of the local key
//! goes over both. What it seals is a nonce, ciphertext and tag (AES-256-GCM-SIV, as in `sealed/envelope.rs`, and for its reason),
//! bound to reseller, message and part.
//!
//! Whoever destroys the data key has destroyed what it sealed.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rand;
use postrider_domain::{CredentialVersion, ResellerId};
use zeroize::Zeroizing;

use crate::framing::framed;
use crate::local_key::Key;
use crate::sealed::envelope::{self, Closed, Place};
use crate::{Cause, KeyKeeper, LocalKey};

/// The version's name of every data key.
pub const DATA_KEY: &str = "data key";

/// Why something does not open.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    #[error("it is not what this data key sealed for this place")]
    Closed,
    #[error("the local key cannot be had")]
    Unavailable(#[source] Cause),
}

pub struct ContentSeal {
    keeper: Arc<dyn KeyKeeper>,
    key: RwLock<LocalKey>,
    version: CredentialVersion,
}

impl ContentSeal {
    /// `key` is what the keeper gave.
    pub fn new(keeper: Arc<dyn KeyKeeper>, key: LocalKey) -> Self {
        Self { keeper, key: RwLock::new(key), version: CredentialVersion::of_store(DATA_KEY) }
    }

    /// A data key of this reseller's, wrapped.
    pub async fn fresh_key(&self, reseller: &ResellerId) -> Result<Vec<u8>, Cause> {
        let mut data_key = Zeroizing::new(vec![0; Key::default().len()]);
        rand::fill(&mut data_key).map_err(|_| "the system gives no random bytes")?;
        envelope::seal(&self.newest_key().await?, self.place(reseller), data_key)
    }

    /// `bound` is where alone it opens again, beside the reseller.
    pub async fn seal(
        &self,
        reseller: &ResellerId,
        wrapped: &[u8],
        bound: &[&[u8]],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, NotOpened> {
        let key = self.data_key(reseller, wrapped).await?;
        let plaintext = Zeroizing::new(with_room_for_tag(plaintext));
        envelope::sealed(&key, &place(reseller, bound), plaintext).map_err(NotOpened::Unavailable)
    }

    pub async fn open(
        &self,
        reseller: &ResellerId,
        wrapped: &[u8],
        bound: &[&[u8]],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let key = self.data_key(reseller, wrapped).await?;
        envelope::opened(&key, &place(reseller, bound), sealed).map_err(|_| NotOpened::Closed)
    }

    async fn data_key(&self, reseller: &ResellerId, wrapped: &[u8]) -> Result<Key, NotOpened> {
        let place = self.place(reseller);
        let known = envelope::open(&self.key.read().unwrap_or_else(PoisonError::into_inner), place, wrapped);
        let opened = match known {
            // It may have been wrapped anew by a key that came since.
            Err(Closed::UnknownKey) => {
                envelope::open(&self.newest_key().await.map_err(NotOpened::Unavailable)?, place, wrapped)
            }
            known => known,
        };
        let opened = opened.map_err(|_| NotOpened::Closed)?;
        let mut key = Key::default();
        if opened.len() != key.len() {
            return Err(NotOpened::Closed);
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }

    async fn newest_key(&self) -> Result<LocalKey, Cause> {
        let key = self.keeper.load().await?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key.clone();
        Ok(key)
    }

    fn place<'p>(&'p self, reseller: &'p ResellerId) -> Place<'p> {
        Place { reseller, version: &self.version }
    }
}

fn with_room_for_tag(plaintext: &[u8]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(plaintext.len() + envelope::TAG_LEN);
    copy.extend_from_slice(plaintext);
    copy
}

fn place(reseller: &ResellerId, bound: &[&[u8]]) -> Vec<u8> {
    framed(&[&[b"postrider content 1", reseller.as_str().as_bytes()], bound].concat())
}

impl fmt::Debug for ContentSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentSeal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::KeyError;

    struct Fixed(LocalKey);

    #[async_trait]
    impl KeyKeeper for Fixed {
        async fn load(&self) -> Result<LocalKey, KeyError> {
            Ok(self.0.clone())
        }

        async fn replace(&self, _: &LocalKey) -> Result<(), KeyError> {
            Ok(())
        }
    }

    fn seal_of(key: &LocalKey) -> ContentSeal {
        ContentSeal::new(Arc::new(Fixed(key.clone())), key.clone())
    }

    fn slug(name: &str) -> ResellerId {
        ResellerId::parse(name).unwrap()
    }

    const AT: [&[u8]; 2] = [b"message 1", b"body"];

    #[tokio::test]
    async fn what_was_sealed_opens_at_its_place_under_its_key_and_nowhere_else() {
        let seal = seal_of(&LocalKey::generate().unwrap());
        let (acme, globex) = (slug("acme"), slug("globex"));
        let (key, other) = (seal.fresh_key(&acme).await.unwrap(), seal.fresh_key(&acme).await.unwrap());
        let sealed = seal.seal(&acme, &key, &AT, b"Dear Ann").await.unwrap();
        assert_eq!(seal.open(&acme, &key, &AT, &sealed).await.unwrap().as_slice(), b"Dear Ann");
        assert!(!sealed.windows(4).any(|four| four == b"Dear"));
        let elsewhere: [&[&[u8]]; 3] =
            [&[b"message 2", b"body"], &[b"message 1", b"subject"], &[b"message 1body"]];
        for place in elsewhere {
            assert!(matches!(seal.open(&acme, &key, place, &sealed).await, Err(NotOpened::Closed)));
        }
        assert!(
            matches!(seal.open(&acme, &other, &AT, &sealed).await, Err(NotOpened::Closed)),
            "another key"
        );
        assert!(matches!(seal.open(&globex, &key, &AT, &sealed).await, Err(NotOpened::Closed)), "a lent key");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(
                matches!(seal.open(&acme, &key, &AT, &changed).await, Err(NotOpened::Closed)),
                "byte {at}"
            );
        }
    }

    #[tokio::test]
    async fn a_data_key_that_was_wrapped_anew_opens_what_it_sealed() {
        let old = LocalKey::generate().unwrap();
        let both = old.with_new_sealing_key().unwrap();
        let acme = slug("acme");
        let before = seal_of(&old);
        let wrapped = before.fresh_key(&acme).await.unwrap();
        let sealed = before.seal(&acme, &wrapped, &AT, b"Dear Ann").await.unwrap();
        let anew = envelope::reseal(&both, before.place(&acme), &wrapped).unwrap().unwrap();
        let after = seal_of(&both.with_newest_sealing_key_alone());
        assert_eq!(after.open(&acme, &anew, &AT, &sealed).await.unwrap().as_slice(), b"Dear Ann");
        assert!(after.open(&acme, &wrapped, &AT, &sealed).await.is_err(), "the old key is gone");
        // One that runs since before learns of the new key from its keeper.
        let runs = ContentSeal::new(Arc::new(Fixed(both)), old);
        assert_eq!(runs.open(&acme, &anew, &AT, &sealed).await.unwrap().as_slice(), b"Dear Ann");
    }
}
