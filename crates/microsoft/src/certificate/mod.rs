//! A certificate with its private key, as an administrator has it (PEM or PFX), becomes what Entra can be shown.
//!
//! | file | what |
//! | --- | --- |
//! | `pem.rs`, `pfx.rs` | the certificates and keys in a file |
//! | `encrypted.rs` | opening what a passphrase closes, within a budget of rounds |
//! | here | which key and certificate belong together, and what Entra takes |
//!
//! Rules
//! - What it costs is bounded before it is spent: bytes, certificates, rounds of key derivation over all parts.
//! - RSA only: Entra takes no other key for an assertion.
//! - No error holds a part of the file or the passphrase.
//!
//! Whether the certificate is trusted, revoked or registered is for Entra to say.

mod encrypted;
mod pem;
mod pfx;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use jiff::Timestamp;
use postrider_domain::{Certificate, limits};
use secrecy::SecretSlice;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// The smallest that Entra takes, and the largest that we can sign with.
const KEY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// What was given.
pub enum CertificateFile<'a> {
    Pem(&'a str),
    Pfx(&'a [u8]),
}

/// Why a file is no certificate to use, in words for whoever gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACertificate {
    #[error("is required: a certificate with its private key")]
    Empty,
    #[error("must have at most {} bytes", limits::CERTIFICATE_BYTES_MAX)]
    Large,
    #[error("is no PEM text with a certificate and its private key")]
    NotPem,
    #[error("is no PKCS #12 file (.pfx, .p12) that can be read")]
    NotPfx,
    #[error("has no certificate: give the certificate together with its private key")]
    NoCertificate,
    #[error(
        "has no private key: give the certificate together with its private key, or a PFX that holds both"
    )]
    NoKey,
    #[error("has more than {} certificates", limits::CERTIFICATE_CHAIN_MAX)]
    LongChain,
    #[error("does not open the private key")]
    Passphrase,
    #[error(
        "takes more than {} rounds of key derivation to open: export it again with fewer",
        limits::KEY_DERIVATION_ROUNDS_MAX
    )]
    Rounds,
    #[error("is encrypted in a way that is not read here: export it again with AES-256, or as a PFX")]
    Cipher,
    #[error("must have an RSA key of 2048 to 8192 bits: Microsoft takes no other")]
    NotRsa,
    #[error("has a private key that belongs to none of its certificates")]
    ForeignKey,
}

impl NotACertificate {
    /// Whether it is the passphrase that is wrong, and not the file.
    pub fn is_of_passphrase(self) -> bool {
        self == Self::Passphrase
    }
}

/// What a file holds, opened.
#[derive(Default)]
struct Contents {
    /// DER.
    certificates: Vec<Vec<u8>>,
    keys: Vec<PrivateKey>,
}

enum PrivateKey {
    Pkcs8(Zeroizing<Vec<u8>>),
    Pkcs1(Zeroizing<Vec<u8>>),
}

/// Takes the certificate that the private key belongs to, and its issuers as far as they are there. It may take a
/// second of computing, where a passphrase is made hard to guess.
pub fn read_certificate(
    file: &CertificateFile<'_>,
    passphrase: &str,
    send_chain: bool,
) -> Result<Certificate, NotACertificate> {
    let bytes = match file {
        CertificateFile::Pem(text) => text.len(),
        CertificateFile::Pfx(bytes) => bytes.len(),
    };
    match bytes {
        0 => return Err(NotACertificate::Empty),
        bytes if bytes > limits::CERTIFICATE_BYTES_MAX => return Err(NotACertificate::Large),
        _ => {}
    }
    let contents = match file {
        CertificateFile::Pem(text) => pem::contents(text, passphrase)?,
        CertificateFile::Pfx(bytes) => pfx::contents(bytes, passphrase)?,
    };
    joined(&contents, send_chain)
}

fn joined(contents: &Contents, send_chain: bool) -> Result<Certificate, NotACertificate> {
    let Contents { certificates, keys } = contents;
    if certificates.is_empty() {
        return Err(NotACertificate::NoCertificate);
    }
    if certificates.len() > limits::CERTIFICATE_CHAIN_MAX {
        return Err(NotACertificate::LongChain);
    }
    if keys.is_empty() {
        return Err(NotACertificate::NoKey);
    }
    let keys: Vec<RsaKeyPair> = keys.iter().filter_map(PrivateKey::read).collect();
    if keys.is_empty() {
        return Err(NotACertificate::NotRsa);
    }
    let (key, own) = keys
        .iter()
        .find_map(|key| Some((key, certificates.iter().find(|der| belongs(key, der))?)))
        .ok_or(NotACertificate::ForeignKey)?;
    let pkcs8 = key.as_der().map_err(|_| NotACertificate::NotRsa)?;
    Ok(Certificate {
        chain: chain(own, certificates),
        key: SecretSlice::from(pkcs8.as_ref().to_vec()),
        expire_time: expire_time(own).ok_or(NotACertificate::NoCertificate)?,
        send_chain,
    })
}

impl PrivateKey {
    /// `None`: it is none of RSA, or of a size that is not taken.
    fn read(&self) -> Option<RsaKeyPair> {
        let key = match self {
            Self::Pkcs8(der) => RsaKeyPair::from_pkcs8(der),
            Self::Pkcs1(der) => RsaKeyPair::from_der(der),
        };
        key.ok().filter(|key| KEY_BITS.contains(&(key.public_modulus_len() * 8)))
    }
}

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

fn belongs(key: &RsaKeyPair, der: &[u8]) -> bool {
    parsed(der).is_some_and(|certificate| {
        certificate.public_key().subject_public_key.data.as_ref() == key.public_key().as_ref()
    })
}

fn expire_time(der: &[u8]) -> Option<Timestamp> {
    Timestamp::from_second(parsed(der)?.validity().not_after.timestamp()).ok()
}

/// Each followed by the one that issued it, until nobody did or it is not there.
fn chain(own: &[u8], certificates: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut chain = vec![own.to_vec()];
    while let Some(issuer) = chain.last().and_then(|last| issuer(last, certificates, &chain)) {
        chain.push(issuer);
    }
    chain
}

fn issuer(of: &[u8], among: &[Vec<u8>], taken: &[Vec<u8>]) -> Option<Vec<u8>> {
    let of = parsed(of)?;
    let issued = |der: &&Vec<u8>| parsed(der).is_some_and(|by| by.subject().as_raw() == of.issuer().as_raw());
    among.iter().filter(|der| !taken.contains(der)).find(issued).cloned()
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
