//! PEM: certificates and private keys one after another, in any order, with any text between them.

use postrider_domain::limits;
use x509_parser::pem::Pem;
use zeroize::Zeroizing;

use super::encrypted::Opener;
use super::{Contents, NotACertificate, PrivateKey};

/// How openssl marked an encrypted key before PKCS #8: its key is derived by a single MD5.
const OLD_ENCRYPTION: &str = "Proc-Type: 4,ENCRYPTED";

pub(super) fn contents(text: &str, passphrase: &str) -> Result<Contents, NotACertificate> {
    if text.contains(OLD_ENCRYPTION) {
        return Err(NotACertificate::Cipher);
    }
    let mut opener = Opener::new(passphrase);
    let mut contents = Contents::default();
    // More are no chain: nothing is opened for them.
    for block in Pem::iter_from_buffer(text.as_bytes()).take(limits::CERTIFICATE_CHAIN_MAX * 2) {
        let block = block.map_err(|_| NotACertificate::NotPem)?;
        let bytes = Zeroizing::new(block.contents);
        match block.label.as_str() {
            "CERTIFICATE" => contents.certificates.push(bytes.to_vec()),
            // Those not of RSA too: they are named as such by whoever reads them.
            "PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                contents.keys.push(PrivateKey::Pkcs8(bytes));
            }
            "RSA PRIVATE KEY" => contents.keys.push(PrivateKey::Pkcs1(bytes)),
            "ENCRYPTED PRIVATE KEY" => {
                let opened = opener.open_key(&bytes, NotACertificate::NotPem)?;
                contents.keys.push(PrivateKey::Pkcs8(opened));
            }
            _ => {}
        }
    }
    if contents.certificates.is_empty() && contents.keys.is_empty() {
        return Err(NotACertificate::NotPem);
    }
    Ok(contents)
}
