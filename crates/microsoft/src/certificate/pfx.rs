//! PFX (PKCS #12, RFC 7292): safes, plain or encrypted, with bags in them.
//!
//! Its MAC is not looked at: a wrong passphrase opens nothing anyway, and a key proves by itself that it belongs to its
//! certificate.

use cms::content_info::ContentInfo;
use cms::encrypted_data::EncryptedData;
use der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use pkcs12::pbe_params::EncryptedPrivateKeyInfo;
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::{PrivateKeyInfo, SafeBag, SafeContents};
use pkcs12::{AuthenticatedSafe, CertBag};
use zeroize::Zeroizing;

use super::encrypted::Opener;
use super::{Contents, NotACertificate, PrivateKey};

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");

pub(super) fn contents(bytes: &[u8], passphrase: &str) -> Result<Contents, NotACertificate> {
    let pfx = Pfx::from_der(bytes).map_err(unreadable)?;
    let safes = AuthenticatedSafe::from_der(&octets(&pfx.auth_safe)?).map_err(unreadable)?;
    let mut opener = Opener::new(passphrase);
    let mut contents = Contents::default();
    for safe in &safes {
        let opened = opened(safe, &mut opener)?;
        for bag in SafeContents::from_der(&opened).map_err(|_| unreadable_inside(safe))? {
            take(&bag, &mut opener, &mut contents)?;
        }
    }
    Ok(contents)
}

fn unreadable(_: der::Error) -> NotACertificate {
    NotACertificate::NotPfx
}

/// What a wrong passphrase opens is noise, which now and then has the right padding.
fn unreadable_inside(safe: &ContentInfo) -> NotACertificate {
    if safe.content_type == ENCRYPTED_DATA { NotACertificate::Passphrase } else { NotACertificate::NotPfx }
}

fn opened(safe: &ContentInfo, opener: &mut Opener<'_>) -> Result<Zeroizing<Vec<u8>>, NotACertificate> {
    if safe.content_type != ENCRYPTED_DATA {
        return octets(safe).map(Zeroizing::new);
    }
    let der = safe.content.to_der().map_err(unreadable)?;
    let content = EncryptedData::from_der(&der).map_err(unreadable)?.enc_content_info;
    let (algorithm, encrypted) = (content.content_enc_alg, content.encrypted_content);
    let encrypted = encrypted.as_ref().map(OctetString::as_bytes).unwrap_or_default();
    opener.open(algorithm.oid, algorithm.parameters.as_ref(), encrypted)
}

/// The bytes of a content of type "data".
fn octets(content: &ContentInfo) -> Result<Vec<u8>, NotACertificate> {
    if content.content_type != DATA {
        return Err(NotACertificate::NotPfx);
    }
    let der = content.content.to_der().map_err(unreadable)?;
    OctetString::from_der(&der).map(OctetString::into_bytes).map(Into::into).map_err(unreadable)
}

fn take(bag: &SafeBag, opener: &mut Opener<'_>, contents: &mut Contents) -> Result<(), NotACertificate> {
    match bag.bag_id {
        CERTIFICATE_BAG => {
            let bag: CertBag = value(bag)?;
            if bag.cert_id == X509 {
                contents.certificates.push(bag.cert_value.as_bytes().to_vec());
            }
        }
        KEY_BAG => {
            let key: PrivateKeyInfo = value(bag)?;
            contents.keys.push(PrivateKey::Pkcs8(Zeroizing::new(key.to_der().map_err(unreadable)?)));
        }
        SHROUDED_KEY_BAG => {
            let info: EncryptedPrivateKeyInfo = value(bag)?;
            let key = opener.open_key(&info.to_der().map_err(unreadable)?, NotACertificate::NotPfx)?;
            contents.keys.push(PrivateKey::Pkcs8(key));
        }
        _ => {}
    }
    Ok(())
}

fn value<T: for<'a> Decode<'a, Error = der::Error>>(bag: &SafeBag) -> Result<T, NotACertificate>
where
    ContextSpecific<T>: for<'a> Decode<'a, Error = der::Error>,
{
    ContextSpecific::<T>::from_der(&bag.bag_value).map(|tagged| tagged.value).map_err(unreadable)
}
