//! The files of `tests/certificates/`, for the tests of this crate.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use postrider_domain::Certificate;

use super::{CertificateFile, NotACertificate, read_certificate};

pub(crate) const PASSPHRASE: &str = "correct-horse";

pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// PEM or PFX, by the file's name.
pub(crate) fn read(name: &str, passphrase: &str) -> Result<Certificate, NotACertificate> {
    let bytes = file(name);
    let is_pem = Path::new(name).extension().is_some_and(|extension| extension == "pem");
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let file = if is_pem { CertificateFile::Pem(text) } else { CertificateFile::Pfx(&bytes) };
    read_certificate(&file, passphrase, false)
}

pub(crate) fn certificate(send_chain: bool) -> Certificate {
    Certificate { send_chain, ..read("chain.pem", "").expect("a certificate") }
}

/// PKCS #1.
pub(crate) fn public_key() -> Vec<u8> {
    file("leaf.pub")
}

/// `x5t#S256`.
pub(crate) fn thumbprint() -> String {
    let certificate = certificate(false);
    BASE64URL_NOPAD.encode(digest(&SHA256, &certificate.chain[0]).as_ref())
}
