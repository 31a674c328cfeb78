//! What a sealed record looks like:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | format, 2 |
//! | 8 | id of the key that seals, so that keys can be changed one record at a time |
//! | 12 + 48 | nonce, and a data key of this record alone, sealed by that key |
//! | 12 | nonce |
//! | … | the credential, sealed by the data key: ciphertext and its tag of 16 bytes |
//!
//! Both are AES-256-GCM-SIV, because nonces are random and replicas share one key: a nonce that comes twice tells no more
//! than that two plaintexts of one place are equal. Bound into each tag: the format, what it is, reseller and version. A
//! change of keys seals the data key anew, and opens no credential. The first format had no data key.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use postrider_domain::{CredentialVersion, ResellerId};
use zeroize::Zeroizing;

use crate::framing::framed;
use crate::local_key::{Key, SealingKeyId};
use crate::{Cause, LocalKey};

const FORMAT: u8 = 2;
const FORMAT_FIRST: u8 = 1;
pub(crate) const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + 8;
const WRAPPED_LEN: usize = NONCE_LEN + 32 + TAG_LEN;

/// The one place a record opens at.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) reseller: &'a ResellerId,
    pub(crate) version: &'a CredentialVersion,
}

/// Why a record does not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It names a key that this ring does not have.
    UnknownKey,
    /// It is not exactly what was sealed for this place.
    Damaged,
}

pub(crate) fn seal(
    key: &LocalKey,
    place: Place<'_>,
    plaintext: Zeroizing<Vec<u8>>,
) -> Result<Vec<u8>, Cause> {
    let (id, sealing) = newest(key)?;
    let mut data_key = Key::default();
    rand::fill(data_key.as_mut_slice()).map_err(|_| "the system gives no random bytes")?;
    let body = sealed(&data_key, &place.bound(FORMAT, b"credential"), plaintext)?;
    Ok([head(id), wrapped(sealing, place, &data_key)?, body].concat())
}

pub(crate) fn open(key: &LocalKey, place: Place<'_>, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let (format, sealing, rest) = split(key, record)?;
    if format == FORMAT_FIRST {
        return opened(sealing, &place.bound(FORMAT_FIRST, b"credential"), rest);
    }
    let (wrapped, body) = rest.split_at_checked(WRAPPED_LEN).ok_or(Closed::Damaged)?;
    let data_key = unwrapped(sealing, place, wrapped)?;
    opened(&data_key, &place.bound(FORMAT, b"credential"), body)
}

/// The same record under the key that seals now. Nothing, where it already is.
pub(crate) fn reseal(key: &LocalKey, place: Place<'_>, record: &[u8]) -> Result<Option<Vec<u8>>, Closed> {
    let (format, sealing, rest) = split(key, record)?;
    let (id, newest) = newest(key).map_err(|_| Closed::UnknownKey)?;
    if format == FORMAT_FIRST {
        let plaintext = open(key, place, record)?;
        return seal(key, place, plaintext).map(Some).map_err(|_| Closed::Damaged);
    }
    let (wrapped_key, body) = rest.split_at_checked(WRAPPED_LEN).ok_or(Closed::Damaged)?;
    let data_key = unwrapped(sealing, place, wrapped_key)?;
    // What is damaged is told now, not when its key is gone.
    opened(&data_key, &place.bound(FORMAT, b"credential"), body)?;
    if record[1..HEAD_LEN] == id {
        return Ok(None);
    }
    let wrapped = wrapped(newest, place, &data_key).map_err(|_| Closed::Damaged)?;
    Ok(Some([head(id), wrapped, body.to_vec()].concat()))
}

fn newest(key: &LocalKey) -> Result<(SealingKeyId, &Key), Cause> {
    let newest = key.sealing_keys().first().ok_or("there is no key that seals")?;
    Ok((newest.0, &newest.1))
}

fn head(id: SealingKeyId) -> Vec<u8> {
    [&[FORMAT], id.as_slice()].concat()
}

/// Format, the key it names, and what follows.
fn split<'a>(key: &'a LocalKey, record: &'a [u8]) -> Result<(u8, &'a Key, &'a [u8]), Closed> {
    let (head, rest) = record.split_at_checked(HEAD_LEN).ok_or(Closed::Damaged)?;
    let (format, id) = head.split_first().ok_or(Closed::Damaged)?;
    if ![FORMAT, FORMAT_FIRST].contains(format) {
        return Err(Closed::Damaged);
    }
    let named = key.sealing_keys().iter().find(|(known, _)| known == id);
    let (_, sealing) = named.ok_or(Closed::UnknownKey)?;
    Ok((*format, sealing, rest))
}

fn wrapped(sealing: &Key, place: Place<'_>, data_key: &Key) -> Result<Vec<u8>, Cause> {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(WRAPPED_LEN));
    plaintext.extend_from_slice(data_key.as_slice());
    sealed(sealing, &place.bound(FORMAT, b"data key"), plaintext)
}

fn unwrapped(sealing: &Key, place: Place<'_>, wrapped: &[u8]) -> Result<Key, Closed> {
    let bytes = opened(sealing, &place.bound(FORMAT, b"data key"), wrapped)?;
    let mut data_key = Key::default();
    (bytes.len() == data_key.len()).then_some(()).ok_or(Closed::Damaged)?;
    data_key.copy_from_slice(&bytes);
    Ok(data_key)
}

/// Nonce, ciphertext and tag. The plaintext is overwritten where it lies: its buffer has room for the tag.
pub(crate) fn sealed(key: &Key, bound: &[u8], mut plaintext: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, Cause> {
    let nonce = cipher(key)?
        .seal_in_place_append_tag(Aad::from(bound), &mut *plaintext)
        .map_err(|_| "it could not be sealed")?;
    Ok([nonce.as_ref().as_slice(), plaintext.as_slice()].concat())
}

pub(crate) fn opened(key: &Key, bound: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Closed::Damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Closed::Damaged)?;
    let mut body = Zeroizing::new(body.to_vec());
    let cipher = cipher(key).map_err(|_| Closed::Damaged)?;
    let length = cipher.open_in_place(nonce, Aad::from(bound), &mut body).map_err(|_| Closed::Damaged)?.len();
    body.truncate(length);
    Ok(body)
}

fn cipher(key: &Key) -> Result<RandomizedNonceKey, Cause> {
    RandomizedNonceKey::new(&AES_256_GCM_SIV, key.as_slice())
        .map_err(|_| "the cipher is not to be had".into())
}

impl Place<'_> {
    fn bound(self, format: u8, what: &[u8]) -> Vec<u8> {
        framed(&[&[format], what, self.reseller.as_str().as_bytes(), self.version.as_str().as_bytes()])
    }
}
