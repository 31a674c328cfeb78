//! The names in a client's certificate. The common name is none of them: it is no name of anything (RFC 9525).

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::access::ClientNames;

/// Of a certificate whose chain was verified. None where it cannot be read.
pub(super) fn client_names(certificate: &CertificateDer<'_>) -> ClientNames {
    let names = X509Certificate::from_der(certificate).ok().map(|(_, certificate)| names(&certificate));
    ClientNames(names.unwrap_or_default().into())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let named = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    });
    named.collect()
}
