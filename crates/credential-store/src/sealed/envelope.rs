//! What a sealed record looks like:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | format, 1 |
//! | 8 | id of the local key, so that keys can be changed one record at a time |
//! | 12 | nonce, random |
//! | … | AES-256-GCM-SIV: ciphertext and its tag of 16 bytes |
//!
//! GCM-SIV, because nonces are random and replicas share one key: a nonce that comes twice tells no more than that two
//! plaintexts of one place are equal. Bound into the tag: the format, the word "credential", reseller and version.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use postrider_domain::{CredentialVersion, ResellerId};
use zeroize::Zeroizing;

use crate::framing::framed;
use crate::{Cause, KeyPurpose, LocalKey};

const FORMAT: u8 = 1;
const KEY_ID_LEN: usize = 8;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// The one place a record opens at.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) reseller: &'a ResellerId,
    pub(super) version: &'a CredentialVersion,
}

pub(super) struct Envelope {
    key: Zeroizing<[u8; 32]>,
    key_id: [u8; KEY_ID_LEN],
}

impl Envelope {
    pub(super) fn new(key: &LocalKey) -> Self {
        Self { key: key.derive(KeyPurpose::CredentialSealing), key_id: key.id_bytes() }
    }

    pub(super) fn seal(&self, place: Place<'_>, mut plaintext: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, Cause> {
        // The plaintext is overwritten where it lies: its buffer has room for the tag.
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(place.bound()), &mut *plaintext)
            .map_err(|_| "the credential could not be sealed")?;
        let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.key_id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&plaintext);
        Ok(sealed)
    }

    /// Nothing, if it is not exactly what was sealed for this place by this key.
    pub(super) fn open(&self, place: Place<'_>, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let mut sealed = Zeroizing::new(sealed);
        let (header, body) = sealed.split_at_mut_checked(HEADER_LEN)?;
        let (head, nonce) = header.split_at(1 + KEY_ID_LEN);
        if head.split_first() != Some((&FORMAT, self.key_id.as_slice())) {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.cipher().ok()?.open_in_place(nonce, Aad::from(place.bound()), body).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Cause> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, self.key.as_slice())
            .map_err(|_| "the cipher is not to be had".into())
    }
}

impl Place<'_> {
    fn bound(self) -> Vec<u8> {
        framed(&[
            &[FORMAT],
            b"credential",
            self.reseller.as_str().as_bytes(),
            self.version.as_str().as_bytes(),
        ])
    }
}
