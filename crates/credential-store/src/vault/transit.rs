//! Vault's transit engine as what wraps the local key: its own key never leaves Vault.

use std::fmt;

use async_trait::async_trait;
use data_encoding::BASE64;
use vaultrs::api::transit::requests::{DecryptDataRequest, EncryptDataRequest};
use zeroize::{Zeroize, Zeroizing};

use super::Vault;
use super::error::Met;
use crate::{Cause, Wrapping};

/// Bound to what is wrapped, so that nothing else that this key encrypted opens in its place.
const BOUND: &[u8] = b"postrider local key";

pub struct VaultTransit {
    vault: Vault,
    mount: String,
    key: String,
}

impl VaultTransit {
    pub fn new(vault: Vault, mount: &str, key: &str) -> Self {
        Self { vault, mount: mount.to_owned(), key: key.to_owned() }
    }
}

#[async_trait]
impl Wrapping for VaultTransit {
    async fn wrap(&self, plaintext: &[u8]) -> Result<String, Cause> {
        let doing = format!("encrypt with {}/{}", self.mount, self.key);
        let plaintext = Zeroizing::new(BASE64.encode(plaintext));
        let wrapped = self.vault.session.call(&doing, |client| {
            let mut options = EncryptDataRequest::builder();
            options.associated_data(BASE64.encode(BOUND));
            let (mount, key, plaintext) = (self.mount.clone(), self.key.clone(), plaintext.clone());
            async move {
                vaultrs::transit::data::encrypt(client.as_ref(), &mount, &key, &plaintext, Some(&mut options))
                    .await
            }
        });
        Ok(wrapped
            .await
            .map_err(|met| met.map_or_else(|error| error, |met| met.into_error(&doing)))?
            .ciphertext)
    }

    async fn unwrap(&self, wrapped: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        let doing = format!("decrypt with {}/{}", self.mount, self.key);
        let opened = self.vault.session.call(&doing, |client| {
            let mut options = DecryptDataRequest::builder();
            options.associated_data(BASE64.encode(BOUND));
            let (mount, key, wrapped) = (self.mount.clone(), self.key.clone(), wrapped.to_owned());
            async move {
                vaultrs::transit::data::decrypt(client.as_ref(), &mount, &key, &wrapped, Some(&mut options))
                    .await
            }
        });
        match opened.await {
            Ok(mut opened) => {
                let plaintext = BASE64.decode(opened.plaintext.as_bytes()).ok().map(Zeroizing::new);
                opened.plaintext.zeroize();
                Ok(plaintext)
            }
            Err(Ok(Met::Bad(_))) => Ok(None),
            Err(Ok(met)) => Err(met.into_error(&doing).into()),
            Err(Err(error)) => Err(error.into()),
        }
    }
}

impl fmt::Debug for VaultTransit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultTransit").finish_non_exhaustive()
    }
}
