//! Our certificates, read anew when their files change.
//!
//! Rules
//! - A pair that cannot be used at the start ends it. One that cannot be used later is told once, and the one before it goes on.
//! - Only new connections see a new certificate; those that are open go on.
//! - TLS 1.2 and 1.3, by rustls's defaults. With an authority for clients, whoever shows a certificate shows one of it, on each
//!   connection anew: a resumed session would bring along a certificate that has expired meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::config;
use crate::metrics::Metrics;

/// How often the files are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a certificate cannot be used, with the key of the configuration that names it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{key} {path} cannot be read: {cause}", path = path.display())]
    File { key: &'static str, path: PathBuf, cause: io::Error },
    #[error("{key} {path} holds no {what} in PEM: name a file that does", path = path.display())]
    Pem { key: &'static str, path: PathBuf, what: &'static str },
    #[error("tls.certificate_file and tls.key_file do not serve together ({0}): let both be of one pair")]
    Pair(rustls::Error),
    #[error("tls.client_ca_file cannot be used: {0}")]
    ClientAuthority(String),
}

/// What is spoken within TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

pub(crate) struct Certificates {
    files: config::Tls,
    served: RwLock<Served>,
}

/// The files' bytes, and what they came to.
#[derive(Clone)]
struct Served {
    files: Files,
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    /// When the first certificate of the chain ends.
    end: Option<Timestamp>,
}

#[derive(Clone, PartialEq)]
struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_authority: Option<Vec<u8>>,
}

impl Certificates {
    /// `None`: there is no TLS.
    pub(crate) fn open(files: &config::Tls) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(read) = read(files)? else { return Ok(None) };
        let served = RwLock::new(serve(files, read)?);
        Ok(Some(Arc::new(Self { files: files.clone(), served })))
    }

    pub(super) fn acceptor(&self, protocol: Protocol) -> TlsAcceptor {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(match protocol {
            Protocol::Grpc => &served.grpc,
            Protocol::Http => &served.http,
        }))
    }

    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).end
    }

    /// Never ends. What is wrong is told at the second look, since the files are not replaced at once.
    pub(crate) async fn follow(self: Arc<Self>, metrics: Arc<Metrics>) {
        let (mut seen, mut looks) = (String::new(), 0_u32);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let certificates = Arc::clone(&self);
            let Ok(looked) = tokio::task::spawn_blocking(move || certificates.look()).await else { continue };
            let problem = looked.as_ref().err().map(ToString::to_string).unwrap_or_default();
            looks = if problem == seen { looks.saturating_add(1) } else { 1 };
            seen = problem;
            match looked {
                Ok(true) => {
                    metrics.own_certificate_ends(self.end());
                    tracing::info!(event = "certificate_replaced", "new connections see the new certificate");
                }
                Err(error) if looks == 2 => {
                    tracing::error!(event = "certificate_not_replaced", %error, "the certificate before it goes on");
                }
                Ok(false) | Err(_) => {}
            }
        }
    }

    /// Whether the files have changed, and serve.
    pub(super) fn look(&self) -> Result<bool, TlsError> {
        let Some(read) = read(&self.files)? else { return Ok(false) };
        if read == self.served.read().unwrap_or_else(PoisonError::into_inner).files {
            return Ok(false);
        }
        let served = serve(&self.files, read)?;
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
        Ok(true)
    }
}

fn read(files: &config::Tls) -> Result<Option<Files>, TlsError> {
    let Some((certificate, key)) = files.certificate_file.as_deref().zip(files.key_file.as_deref()) else {
        return Ok(None);
    };
    let client_authority = files.client_ca_file.as_deref().map(|path| bytes(CLIENT_CA, path)).transpose()?;
    Ok(Some(Files {
        certificate: bytes(CERTIFICATE, certificate)?,
        key: Zeroizing::new(bytes(KEY, key)?),
        client_authority,
    }))
}

const CERTIFICATE: &str = "tls.certificate_file";
const KEY: &str = "tls.key_file";
const CLIENT_CA: &str = "tls.client_ca_file";

fn bytes(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::File { key, path: path.to_owned(), cause })
}

fn serve(names: &config::Tls, files: Files) -> Result<Served, TlsError> {
    let missing = |key, path: &Option<PathBuf>, what| TlsError::Pem {
        key,
        path: path.clone().unwrap_or_default(),
        what,
    };
    let chain = certificates(&files.certificate)
        .ok_or_else(|| missing(CERTIFICATE, &names.certificate_file, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|_| missing(KEY, &names.key_file, "private key"))?;
    let provider = Arc::new(default_provider());
    let config = |alpn: &[u8], authority: Option<&[u8]>| {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?;
        let builder = match authority {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for one in certificates(pem)
                    .ok_or_else(|| missing(CLIENT_CA, &names.client_ca_file, "certificate"))?
                {
                    roots.add(one).map_err(|error| TlsError::ClientAuthority(error.to_string()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| TlsError::ClientAuthority(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain.clone(), key.clone_key()).map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        if authority.is_some() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    };
    let grpc = config(b"h2", files.client_authority.as_deref())?;
    let http = config(b"http/1.1", files.client_authority.as_deref())?;
    let end = chain.iter().filter_map(end).min();
    Ok(Served { files, grpc, http, end })
}

/// All of them; `None` where there is none, or one cannot be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}
