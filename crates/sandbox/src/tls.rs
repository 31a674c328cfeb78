//! A certificate authority of the sandbox's own, made anew at each start, and the certificate it serves with. Its key
//! never leaves the process, so nothing that trusts it can be fooled by anybody else.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Names that it serves under, beside those that the operator gives.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// What a client must trust.
    pub(crate) ca_pem: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Rustls(#[from] tokio_rustls::rustls::Error),
    #[error("no key: {0}")]
    Key(&'static str),
}

impl Tls {
    pub(crate) fn new(names: &[String], now: Timestamp) -> Result<Tls, TlsError> {
        let mut authority = params("Postrider sandbox CA, worth nothing anywhere else", &[], now)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let ca = authority.self_signed(&authority_key)?;

        let all: Vec<String> =
            OWN_NAMES.into_iter().map(str::to_owned).chain(names.iter().cloned()).collect();
        let mut own = params("Postrider sandbox", &all, now)?;
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        own.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = own.signed_by(&key, &Issuer::new(authority, authority_key))?;

        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(TlsError::Key)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem: ca.pem() })
    }
}

fn params(name: &str, names: &[String], now: Timestamp) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let today = TimeZone::UTC.to_datetime(now).date();
    let day = |date: jiff::civil::Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.saturating_sub(1.day()));
    params.not_after = day(today.saturating_add(1.year()));
    Ok(params)
}
