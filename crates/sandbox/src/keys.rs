//! The keys that an app is known by: certificates that were uploaded, and keys of outside issuers.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::directory::App;

/// A certificate as far as Entra looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// `x5t` and `x5t#S256`.
    pub(crate) thumbprints: [String; 2],
    pub(crate) subject: String,
    pub(crate) key: PublicKey,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    der: Vec<u8>,
}

/// RSA, in PKCS #1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(Vec<u8>);

/// What the app's own JSON says of its keys, read.
#[derive(Debug, Default)]
pub(crate) struct AppKeys {
    pub(crate) certificates: Vec<Certificate>,
    /// Of each federated credential, in its order.
    pub(crate) issuers: Vec<Vec<PublicKey>>,
}

impl AppKeys {
    pub(crate) fn read(app: &App) -> Result<AppKeys, String> {
        let of = |what: &str| format!("app {} has {what} that cannot be read", app.client_id);
        let certificates = app.certificates.iter().map(|pem| certificate(pem)).collect::<Option<Vec<_>>>();
        let issuers = app
            .federated_credentials
            .iter()
            .map(|credential| credential.keys.iter().map(|pem| public_key(pem)).collect::<Option<Vec<_>>>());
        Ok(AppKeys {
            certificates: certificates.ok_or_else(|| of("a certificate"))?,
            issuers: issuers.collect::<Option<Vec<_>>>().ok_or_else(|| of("a key of an issuer"))?,
        })
    }
}

impl Certificate {
    pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let thumbprint = |algorithm| BASE64URL_NOPAD.encode(digest(algorithm, der).as_ref());
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let name = read.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        Some(Certificate {
            thumbprints: [thumbprint(&SHA1_FOR_LEGACY_USE_ONLY), thumbprint(&SHA256)],
            subject: name.unwrap_or_default().to_owned(),
            key: PublicKey(read.public_key().subject_public_key.data.to_vec()),
            from: time(read.validity().not_before)?,
            until: time(read.validity().not_after)?,
            der: der.to_vec(),
        })
    }

    /// Whether `issuer` has signed it.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let parsed = |der| X509Certificate::from_der(der).ok().map(|(_, read)| read);
        parsed(&self.der).zip(parsed(&issuer.der)).is_some_and(|(own, issuer)| {
            own.issuer().as_raw() == issuer.subject().as_raw()
                && own.verify_signature(Some(issuer.public_key())).is_ok()
        })
    }
}

impl PublicKey {
    /// Whether it made this signature; `None`: by an algorithm that Entra does not take.
    pub(crate) fn signed(&self, algorithm: &str, content: &[u8], signature: &[u8]) -> Option<bool> {
        let algorithm: &'static RsaParameters = match algorithm {
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return None,
        };
        Some(UnparsedPublicKey::new(algorithm, &self.0).verify(content, signature).is_ok())
    }
}

fn certificate(pem: &str) -> Option<Certificate> {
    Certificate::read(&block(pem, "CERTIFICATE")?)
}

/// `-----BEGIN PUBLIC KEY-----`, or the certificate that has it.
fn public_key(pem: &str) -> Option<PublicKey> {
    if let Some(der) = block(pem, "PUBLIC KEY") {
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
        return Some(PublicKey(info.subject_public_key.data.to_vec()));
    }
    certificate(pem).map(|certificate| certificate.key)
}

fn block(pem: &str, label: &str) -> Option<Vec<u8>> {
    Pem::iter_from_buffer(pem.as_bytes())
        .flatten()
        .find(|block| block.label == label)
        .map(|block| block.contents)
}
