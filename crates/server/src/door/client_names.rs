//! The names in a client's certificate, and when it ends. The common name is none of them: it is no name of anything (RFC 9525).

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::access::{ClientName, ClientNames};

/// Of a certificate whose chain was verified. None where it cannot be read.
pub(super) fn client_names(certificate: &CertificateDer<'_>) -> ClientNames {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return ClientNames { names: [].into(), end: Timestamp::MIN };
    };
    // One that says it has no end names one that is past what a time can tell (RFC 5280, 4.1.2.5).
    let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
    ClientNames { names: names(&certificate).into(), end }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<ClientName> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let named = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(ClientName::Dns(name.to_ascii_lowercase())),
        GeneralName::URI(name) => Some(ClientName::Uri((*name).to_owned())),
        _ => None,
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn certificate(names: Vec<SanType>, year: i32) -> ClientNames {
        let mut params = CertificateParams::default();
        (params.subject_alt_names, params.not_after) = (names, date_time_ymd(year, 1, 1));
        client_names(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn a_name_keeps_its_kind_and_a_certificate_its_end() {
        let uri = SanType::URI("Shop.example".try_into().unwrap());
        let dns = SanType::DnsName("Shop.example".try_into().unwrap());
        let shown = certificate(vec![uri, dns], 2031);
        let expected =
            [ClientName::Uri("Shop.example".to_owned()), ClientName::Dns("shop.example".to_owned())];
        assert_eq!(*shown.names, expected);
        assert_eq!(shown.end.to_string(), "2031-01-01T00:00:00Z");
    }
}
