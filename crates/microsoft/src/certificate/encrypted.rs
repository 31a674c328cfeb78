//! What a passphrase closes: PBES2 (PBKDF2 with AES or 3DES) as everybody writes it today, and PKCS #12's own schemes
//! (SHA-1 with 3DES or RC2), which Windows and key vaults still write.
//!
//! Rounds of key derivation are counted before they are run, over all parts of a file: a small file could otherwise ask
//! for hours. scrypt is not read: it also takes memory, and nothing that exports certificates uses it.

use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Any, Decode, Encode, Tag, Tagged};
use des::TdesEde3;
use pkcs5::pbes2::{self, Kdf, PBES2_OID, Pbkdf2Prf};
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use postrider_domain::limits;
use rc2::Rc2;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::NotACertificate;

const SHA1_3DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const SHA1_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// What one round stands for: SHA-1 gives a key of 32 bytes in two blocks, and PKCS #12 derives an IV as well.
const PBKDF2_BLOCKS: u32 = 1;
const PBKDF2_SHA1_BLOCKS: u32 = 2;
const PKCS12_BLOCKS: u32 = 3;

/// Opens the parts of one file, as long as its rounds last.
pub(super) struct Opener<'a> {
    passphrase: &'a str,
    rounds_left: u32,
}

impl<'a> Opener<'a> {
    pub(super) fn new(passphrase: &'a str) -> Self {
        Self { passphrase, rounds_left: limits::KEY_DERIVATION_ROUNDS_MAX }
    }

    /// PKCS #8 `EncryptedPrivateKeyInfo`; `unreadable` is what it is if it is not even that.
    pub(super) fn open_key(
        &mut self,
        der: &[u8],
        unreadable: NotACertificate,
    ) -> Result<Zeroizing<Vec<u8>>, NotACertificate> {
        let info = EncryptedPrivateKeyInfo::from_der(der).map_err(|_| unreadable)?;
        let algorithm = info.encryption_algorithm;
        let opened =
            self.open(algorithm.oid, algorithm.parameters.as_ref(), info.encrypted_data.as_bytes())?;
        // A wrong passphrase opens noise, which now and then has the right padding.
        let is_key = AnyRef::from_der(&opened).is_ok_and(|any| any.tag() == Tag::Sequence);
        if is_key { Ok(opened) } else { Err(NotACertificate::Passphrase) }
    }

    pub(super) fn open(
        &mut self,
        scheme: ObjectIdentifier,
        parameters: Option<&Any>,
        content: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotACertificate> {
        let parameters =
            parameters.and_then(|parameters| parameters.to_der().ok()).ok_or(NotACertificate::Cipher)?;
        let opened = match scheme {
            PBES2_OID => self.open_pbes2(&parameters, content),
            SHA1_3DES => self.open_pkcs12::<TdesEde3>(&parameters, content, 24),
            SHA1_RC2_40 => self.open_pkcs12::<Rc2>(&parameters, content, 5),
            _ => Err(NotACertificate::Cipher),
        };
        opened.map(Zeroizing::new)
    }

    fn open_pbes2(&mut self, parameters: &[u8], content: &[u8]) -> Result<Vec<u8>, NotACertificate> {
        let parameters = pbes2::Parameters::from_der(parameters).map_err(|_| NotACertificate::Cipher)?;
        match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) if pbkdf2.prf == Pbkdf2Prf::HmacWithSha1 => {
                self.spend(pbkdf2.iteration_count, PBKDF2_SHA1_BLOCKS)?;
            }
            Kdf::Pbkdf2(pbkdf2) => self.spend(pbkdf2.iteration_count, PBKDF2_BLOCKS)?,
            _ => return Err(NotACertificate::Cipher),
        }
        parameters.decrypt(self.passphrase.as_bytes(), content).map_err(|_| NotACertificate::Passphrase)
    }

    fn open_pkcs12<Cipher>(
        &mut self,
        parameters: &[u8],
        content: &[u8],
        key_bytes: usize,
    ) -> Result<Vec<u8>, NotACertificate>
    where
        Cipher: KeyInit + BlockCipherDecrypt,
    {
        let Pkcs12PbeParams { salt, iterations } =
            Pkcs12PbeParams::from_der(parameters).map_err(|_| NotACertificate::Cipher)?;
        self.spend(u32::try_from(iterations).map_err(|_| NotACertificate::Cipher)?, PKCS12_BLOCKS)?;
        let derived = |kind, bytes| {
            derive_key_utf8::<Sha1>(self.passphrase, salt.as_bytes(), kind, iterations, bytes)
                .map(Zeroizing::new)
                .map_err(|_| NotACertificate::Passphrase)
        };
        let (key, iv) = (derived(Pkcs12KeyType::EncryptionKey, key_bytes)?, derived(Pkcs12KeyType::Iv, 8)?);
        let cipher = Decryptor::<Cipher>::new_from_slices(&key, &iv).map_err(|_| NotACertificate::Cipher)?;
        cipher.decrypt_padded_vec::<Pkcs7>(content).map_err(|_| NotACertificate::Passphrase)
    }

    fn spend(&mut self, rounds: u32, blocks: u32) -> Result<(), NotACertificate> {
        let spent = rounds.max(1).checked_mul(blocks).ok_or(NotACertificate::Rounds)?;
        self.rounds_left = self.rounds_left.checked_sub(spent).ok_or(NotACertificate::Rounds)?;
        Ok(())
    }
}
