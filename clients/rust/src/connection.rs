//! Where the service is, and by which transport it is called.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// Where a service on this machine listens.
pub const DEFAULT_URL: &str = "http://127.0.0.1:50051";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is not of the form `https://host:port`.
    #[error("`{0}` is no http:// or https:// URL such as {DEFAULT_URL}")]
    Url(String),
    /// Over plain HTTP/2 there is no certificate to check.
    #[error("a CA file is for an https URL")]
    CaFileWithoutTls,
    /// The file of the certificate authorities cannot be read.
    #[error("the CA file {} cannot be read", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate authorities cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[source] tonic::transport::Error),
    /// `POSTRIDER_KEY` is not set.
    #[error("no access key: set POSTRIDER_KEY; `postrider keys create` makes one")]
    NoKey,
    /// The key has characters that no key has. It is not repeated here.
    #[error("the access key is not of visible ASCII characters")]
    Key,
}

/// A channel that connects with the first call.
pub(crate) fn channel(url: &str, ca_file: Option<&Path>) -> Result<Channel, ConnectError> {
    let none = || ConnectError::Url(url.to_owned());
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| none())?;
    let uri = endpoint.uri();
    let is_tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(none()),
    };
    if uri.host().is_none_or(str::is_empty) || !matches!(uri.path(), "" | "/") {
        return Err(none());
    }
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    let endpoint = match (is_tls, ca_file) {
        (false, None) => endpoint,
        (false, Some(_)) => return Err(ConnectError::CaFileWithoutTls),
        (true, None) => {
            endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(ConnectError::Tls)?
        }
        (true, Some(path)) => {
            let unreadable = |source| ConnectError::CaFile { path: path.to_owned(), source };
            let authorities = Certificate::from_pem(std::fs::read(path).map_err(unreadable)?);
            let tls = ClientTlsConfig::new().ca_certificate(authorities);
            endpoint.tls_config(tls).map_err(ConnectError::Tls)?
        }
    };
    Ok(endpoint.connect_lazy())
}

pub(crate) fn authorization(key: &str) -> Result<MetadataValue<Ascii>, ConnectError> {
    // Why: the parse error is dropped, since it must not carry the key anywhere.
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {}", key.trim()).parse().map_err(|_| ConnectError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The URL and the key that the environment names.
#[expect(clippy::disallowed_methods, reason = "in a client this is the one place that reads the environment")]
pub(crate) fn from_env() -> Result<(String, String), ConnectError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let key = variable("POSTRIDER_KEY").ok_or(ConnectError::NoKey)?;
    Ok((variable("POSTRIDER_URL").unwrap_or_else(|| DEFAULT_URL.to_owned()), key))
}
