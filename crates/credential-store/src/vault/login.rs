//! How Postrider proves itself to Vault. Every file is read anew at each login, so that whoever rotates it need tell nobody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use vaultrs::api::AuthInfo;
use vaultrs::error::ClientError;
use zeroize::{Zeroize, Zeroizing};

use super::error::{Met, VaultError, VaultFault};
use super::http::Endpoint;
use crate::private_file::{PrivateFileError, read_credential_file, read_shared_file};

/// The `auth` methods, each with the mount it is enabled at.
#[derive(Debug, Clone)]
pub enum VaultAuth {
    Token {
        file: PathBuf,
    },
    /// `wrapped`: the file holds a response-wrapping token, which gives the secret id once.
    AppRole {
        mount: String,
        role_id: String,
        secret_id_file: PathBuf,
        wrapped: bool,
    },
    /// A Kubernetes service account's token, or any workload identity's.
    Jwt {
        mount: String,
        role: String,
        file: PathBuf,
    },
    Certificate {
        mount: String,
        certificate_file: PathBuf,
        key_file: PathBuf,
    },
}

/// A token, and how long Vault lets it live.
pub(super) struct Granted {
    pub http: reqwest::Client,
    pub token: SecretString,
    pub lease: Lease,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub granted: Instant,
    /// Zero: it does not end.
    pub life: Duration,
    pub renewable: bool,
}

/// The secret id that a wrapping token gave: a second unwrap of the same token would be refused.
#[derive(Default)]
pub(super) struct Unwrapped(Option<(SecretString, SecretString)>);

const DOING: &str = "log in";

impl VaultAuth {
    pub(super) async fn log_in(
        &self,
        endpoint: &Endpoint,
        http: &reqwest::Client,
        unwrapped: &mut Unwrapped,
    ) -> Result<Granted, VaultError> {
        let asked = Instant::now();
        let anonymous = endpoint.client(http.clone(), None);
        let (http, auth) = match self {
            Self::Token { file } => return token(endpoint, http, file, asked).await,
            Self::AppRole { mount, role_id, secret_id_file, wrapped } => {
                let mut secret_id = read(secret_id_file)?;
                if *wrapped {
                    secret_id = unwrapped.unwrap(endpoint, http, secret_id).await?;
                }
                let secret_id = secret_id.expose_secret();
                (http.clone(), vaultrs::auth::approle::login(&anonymous, mount, role_id, secret_id).await)
            }
            Self::Jwt { mount, role, file } => {
                let jwt = read_with(file, read_shared_file)?;
                let role = Some(role.clone());
                (http.clone(), vaultrs::auth::oidc::login(&anonymous, mount, jwt.expose_secret(), role).await)
            }
            Self::Certificate { mount, certificate_file, key_file } => {
                let http = endpoint
                    .connect(Some(&identity(certificate_file, key_file)?))
                    .map_err(|error| VaultError::new(VaultFault::LoginFile, DOING, error))?;
                let client = endpoint.client(http.clone(), None);
                (http, vaultrs::auth::cert::login(&client, mount, "").await)
            }
        };
        let mut auth: AuthInfo = auth.map_err(refused)?;
        let (life, renewable) = (Duration::from_secs(auth.lease_duration), auth.renewable);
        let token = SecretString::from(auth.client_token.as_str());
        auth.client_token.zeroize();
        Ok(Granted { http, token, lease: Lease { granted: asked, life, renewable } })
    }

    /// Whether a login can give another token than the last one did.
    pub(super) fn gives_fresh_tokens(&self) -> bool {
        !matches!(self, Self::Token { .. })
    }
}

async fn token(
    endpoint: &Endpoint,
    http: &reqwest::Client,
    file: &Path,
    asked: Instant,
) -> Result<Granted, VaultError> {
    let token = read(file)?;
    let looked_up = vaultrs::token::lookup_self(&endpoint.client(http.clone(), Some(&token))).await;
    let mut looked_up = looked_up.map_err(|error| match Met::of(error) {
        Met::Forbidden(said) => VaultError::new(VaultFault::TokenRejected, DOING, said),
        other => other.into_error(DOING),
    })?;
    looked_up.id.zeroize();
    let (life, renewable) = (Duration::from_secs(looked_up.ttl), looked_up.renewable.unwrap_or(false));
    Ok(Granted { http: http.clone(), token, lease: Lease { granted: asked, life, renewable } })
}

impl Unwrapped {
    async fn unwrap(
        &mut self,
        endpoint: &Endpoint,
        http: &reqwest::Client,
        wrapping: SecretString,
    ) -> Result<SecretString, VaultError> {
        #[derive(Deserialize)]
        struct SecretId {
            secret_id: SecretIdText,
        }
        #[derive(Deserialize)]
        struct SecretIdText(String);
        if let Some((of, secret_id)) = &self.0
            && of.expose_secret() == wrapping.expose_secret()
        {
            return Ok(secret_id.clone());
        }
        // The wrapping token is the one right there is to unwrap itself.
        let client = endpoint.client(http.clone(), Some(&wrapping));
        let given: Result<SecretId, ClientError> = vaultrs::sys::wrapping::unwrap(&client, None).await;
        let given = given.map_err(|error| match Met::of(error) {
            Met::Bad(said) | Met::Forbidden(said) => {
                let said =
                    format!("the wrapping token was used or has ended ({said}): put a new one into the file");
                VaultError::new(VaultFault::LoginRefused, "unwrap the secret id", said)
            }
            other => other.into_error("unwrap the secret id"),
        })?;
        let mut text = given.secret_id.0;
        let secret_id = SecretString::from(text.as_str());
        text.zeroize();
        self.0 = Some((wrapping, secret_id.clone()));
        Ok(secret_id)
    }
}

fn refused(error: ClientError) -> VaultError {
    match Met::of(error) {
        Met::Bad(said) | Met::Forbidden(said) | Met::Fault(VaultFault::NoEngine, said) => {
            VaultError::new(VaultFault::LoginRefused, DOING, said)
        }
        Met::NotFound(_) => {
            VaultError::new(VaultFault::LoginRefused, DOING, "the auth method is not enabled there")
        }
        // A certificate that has expired is an internal error to Vault.
        Met::Fault(VaultFault::Failing(_), said) if said.contains("x509: ") => {
            VaultError::new(VaultFault::LoginRefused, DOING, said)
        }
        met @ Met::Fault(..) => met.into_error(DOING),
    }
}

/// A secret from a file that not everybody may read.
fn read(file: &Path) -> Result<SecretString, VaultError> {
    read_with(file, read_credential_file)
}

fn read_with(
    file: &Path,
    read: impl Fn(&Path) -> Result<Zeroizing<String>, PrivateFileError>,
) -> Result<SecretString, VaultError> {
    let text = read(file).map_err(|error| VaultError::new(VaultFault::LoginFile, DOING, error))?;
    let text = text.trim();
    // It goes into a header.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let said = format!("{} holds no token", file.display());
        return Err(VaultError::new(VaultFault::LoginFile, DOING, said));
    }
    Ok(SecretString::from(text))
}

fn identity(certificate_file: &Path, key_file: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let unreadable = |error: PrivateFileError| VaultError::new(VaultFault::LoginFile, DOING, error);
    let certificate = read_shared_file(certificate_file).map_err(unreadable)?;
    let key = read_credential_file(key_file).map_err(unreadable)?;
    let mut pem = Zeroizing::new(Vec::with_capacity(certificate.len() + key.len() + 1));
    pem.extend_from_slice(certificate.as_bytes());
    pem.push(b'\n');
    pem.extend_from_slice(key.as_bytes());
    Ok(pem)
}
