//! The managed identity of an Azure resource: its own token, which Entra takes as an assertion where the app trusts it.
//!
//! Only what runs on the machine itself can ask: the endpoint is a fixed address or the platform's environment, never a
//! caller's word. Only identities that a user assigned can be trusted by an app.

use postrider_domain::{ClientId, Cloud, Finding, FindingCode, TokenRefusal, limits};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::http::{self as wire, NoAnswer, shown};
use crate::{Microsoft, cloud};

const IMDS: &str = "http://169.254.169.254";
const EVIDENCE_CHARS_MAX: usize = 200;

/// Who on this machine gives out tokens of its identities.
#[derive(Debug, Clone)]
pub enum IdentityEndpoint {
    /// The instance metadata service of virtual machines, scale sets and AKS nodes. The origin is its fixed address.
    Metadata { origin: String },
    /// App Service, Functions, Container Apps: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    AppService { url: String, header: SecretString },
}

impl IdentityEndpoint {
    pub fn metadata() -> Self {
        Self::Metadata { origin: IMDS.to_owned() }
    }
}

impl Microsoft {
    /// The token of this machine's managed identity `identity`, made out to Entra's exchange of the cloud.
    pub async fn identity_assertion(
        &self,
        endpoint: &IdentityEndpoint,
        identity: &ClientId,
        cloud: Cloud,
    ) -> Result<SecretString, TokenRefusal> {
        let request = self
            .identity_request(endpoint)
            .query(&[("resource", cloud::exchange_audience(cloud)), ("client_id", identity.as_str())]);
        let answer = wire::send(request.timeout(limits::TOKEN_TIMEOUT)).await;
        let response = answer.map_err(|no_answer| away(&no_answer))?;
        let status = response.status().as_u16();
        let body = zeroize::Zeroizing::new(wire::body(response, limits::ANSWER_BYTES_MAX).await);
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = json.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        token
            .filter(|_| status == 200)
            .map(SecretString::from)
            .ok_or_else(|| refused(status, &json, endpoint))
    }

    fn identity_request(&self, endpoint: &IdentityEndpoint) -> RequestBuilder {
        match endpoint {
            IdentityEndpoint::Metadata { origin } => self
                .http
                .get(format!("{origin}/metadata/identity/oauth2/token"))
                .header("Metadata", "true")
                .query(&[("api-version", "2018-02-01")]),
            IdentityEndpoint::AppService { url, header } => self
                .http
                .get(url)
                .header("X-IDENTITY-HEADER", header.expose_secret())
                .query(&[("api-version", "2019-08-01")]),
        }
    }
}

/// The machine's own trouble, as a credential store's would be.
fn away(no_answer: &NoAnswer) -> TokenRefusal {
    let finding = Finding::new(FindingCode::CredentialStoreUnavailable)
        .with("reason", "this machine's managed identity does not answer")
        .with("failure", no_answer.failure)
        .with("cause", &no_answer.cause);
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}

/// A 400 says that there is no such identity here; all else may pass.
fn refused(status: u16, json: &Value, endpoint: &IdentityEndpoint) -> TokenRefusal {
    let code = match status {
        400 | 401 | 403 => FindingCode::FederationWrong,
        _ => FindingCode::CredentialStoreUnavailable,
    };
    let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut said = [text("error"), text("error_description"), text("message")].join(" ");
    if let IdentityEndpoint::AppService { header, .. } = endpoint {
        said = said.replace(header.expose_secret(), "…");
    }
    let finding = Finding::new(code)
        .with("reason", "this machine's managed identity gave no token: is it assigned to the machine?")
        .with("http_status", status)
        .with("said", shown(said.trim(), EVIDENCE_CHARS_MAX));
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}
