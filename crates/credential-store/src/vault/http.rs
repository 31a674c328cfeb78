//! The HTTP client to Vault: no redirects (a token would go elsewhere), no silent retries, a bound on every wait.

use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Url, redirect, retry, tls};
use rustify::clients::reqwest::Client as RustifyClient;
use secrecy::{ExposeSecret, SecretString};
use vaultrs::api::EndpointMiddleware;
use vaultrs::client::{VaultClient, VaultClientSettings};
use zeroize::Zeroizing;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum VaultSetupError {
    #[error("vault.address is no address of a server")]
    Address,
    #[error("the file of vault.ca_file holds no certificate in PEM")]
    Ca,
    #[error("the files of vault.certificate_file and vault.key_file hold no certificate and key in PEM")]
    Identity,
    #[error("the HTTP client for Vault cannot be built")]
    Client(#[source] reqwest::Error),
}

/// Where Vault is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub address: Url,
    pub ca_pem: Option<Vec<u8>>,
    pub namespace: Option<String>,
    pub timeout: Duration,
}

impl Endpoint {
    /// A client over connections of its own. `identity`: certificates and key in PEM, to be shown.
    pub(super) fn connect(&self, identity: Option<&Zeroizing<Vec<u8>>>) -> Result<Client, VaultSetupError> {
        let mut builder = builder(self.timeout);
        if let Some(pem) = &self.ca_pem {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|_| VaultSetupError::Ca)?;
            if certificates.is_empty() {
                return Err(VaultSetupError::Ca);
            }
            builder = builder.tls_certs_only(certificates);
        } else if self.address.scheme() == "http" {
            // Why: no need to read the system's authorities.
            builder = builder.tls_certs_only(Vec::new());
        }
        if let Some(pem) = identity {
            builder = builder.identity(Identity::from_pem(pem).map_err(|_| VaultSetupError::Identity)?);
        }
        builder.build().map_err(VaultSetupError::Client)
    }

    /// What vaultrs calls with. It takes nothing from the environment, unlike vaultrs's own way to make it.
    pub(super) fn client(&self, http: Client, token: Option<&SecretString>) -> VaultClient {
        let token = token.map(|token| token.expose_secret().to_owned()).unwrap_or_default();
        VaultClient {
            http: RustifyClient::new(self.address.as_str().trim_end_matches('/'), http),
            middle: EndpointMiddleware {
                token,
                version: "v1".to_owned(),
                wrap: None,
                namespace: self.namespace.clone(),
            },
            settings: VaultClientSettings {
                address: self.address.clone(),
                ca_certs: Vec::new(),
                identity: None,
                timeout: Some(self.timeout),
                token: String::new(),
                verify: true,
                version: 1,
                wrapping: false,
                namespace: None,
                proxy: None,
            },
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "Vault's own client, with no will of its own either")]
fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .tls_backend_rustls()
        .tls_version_min(tls::Version::TLS_1_2)
        .user_agent(concat!("Postrider/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
}
