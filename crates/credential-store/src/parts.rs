//! A credential as its kind and named texts: the one place where kinds are taken apart and put together.
//!
//! Both stores keep parts and know no kind: the sealed store as bytes that it seals, Vault as the fields of a secret. The
//! names of the fields are stored, and so fixed for all time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_domain::{Credential, CredentialKind, Fingerprint};
use secrecy::{ExposeSecret, SecretString};

use crate::KeyedHash;

const CLIENT_SECRET: &str = "client_secret";

pub(crate) struct Parts {
    pub(crate) kind: CredentialKind,
    pub(crate) expire_time: Option<Timestamp>,
    pub(crate) fields: BTreeMap<String, SecretString>,
}

impl Parts {
    pub(crate) fn of(credential: &Credential) -> Self {
        let fields = match credential {
            Credential::ClientSecret { value, .. } => [(CLIENT_SECRET.to_owned(), value.clone())].into(),
        };
        Self { kind: credential.kind(), expire_time: credential.expire_time(), fields }
    }

    /// Nothing, if these are not the parts of such a credential.
    pub(crate) fn into_credential(mut self) -> Option<Credential> {
        let expire_time = self.expire_time;
        let credential = match self.kind {
            CredentialKind::ClientSecret => {
                Credential::ClientSecret { value: self.fields.remove(CLIENT_SECRET)?, expire_time }
            }
            CredentialKind::Certificate | CredentialKind::Federated => return None,
        };
        self.fields.is_empty().then_some(credential)
    }

    /// Tells two credentials apart. The expiry, which only says what somebody knows of it, does not count.
    pub(crate) fn fingerprint(&self, hash: &KeyedHash) -> Fingerprint {
        let values = self.fields.values().map(|value| value.expose_secret().as_bytes());
        let parts: Vec<&[u8]> = std::iter::once(self.kind.as_str().as_bytes()).chain(values).collect();
        Fingerprint::of_store(data_encoding::HEXLOWER.encode(&hash.hash(&parts)[..8]))
    }
}
