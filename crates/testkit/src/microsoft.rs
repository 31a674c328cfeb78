//! The stand-in's control: what it received, what it is to answer, what it knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::program::Program;
use crate::world::World;

/// A running sandbox, in a process of its own or in the service's. Cheap to clone.
#[derive(Clone)]
pub struct Microsoft {
    origin: String,
    ca_file: Option<PathBuf>,
    client: reqwest::Client,
    _process: Option<Arc<(Program, World)>>,
}

/// A mail that somebody would have received.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivered {
    pub mailbox: String,
    pub internet_message_id: String,
    pub subject: String,
    pub recipients: Vec<String>,
    pub copies: u32,
    /// Base64.
    pub raw: String,
    pub time: String,
    pub delivery: Delivery,
}

/// What became of it after it was taken.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    pub reason: Option<String>,
}

impl Delivered {
    /// As it crossed the wire.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&BASE64.decode(self.raw.as_bytes()).unwrap()).into_owned()
    }
}

/// A limit of Microsoft's that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Breach {
    pub mailbox: String,
    pub limit: String,
    pub count: u64,
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Delivered>,
}

#[derive(Deserialize)]
struct Breaches {
    breaches: Vec<Breach>,
}

impl Microsoft {
    /// Whatever serves pages at an address, `host:port`.
    pub fn at(address: &str) -> Self {
        Self { origin: format!("http://{address}"), ca_file: None, client: client(None), _process: None }
    }

    pub(crate) fn run_by(program: Program, address: &str, world: World) -> Self {
        Self { _process: Some(Arc::new((program, world))), ..Self::at(address) }
    }

    /// The same, reached by another origin, such as a proxy's.
    #[must_use]
    pub fn behind(&self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self.clone() }
    }

    pub(crate) fn run_over_tls_by(program: Program, address: &str, world: World, ca_file: PathBuf) -> Self {
        let client = client(Some(&std::fs::read(&ca_file).unwrap()));
        let origin = format!("https://{address}");
        Self { origin, ca_file: Some(ca_file), client, _process: Some(Arc::new((program, world))) }
    }

    /// What its certificate is signed by, where it serves over TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// `http://host:port`, or `https://…`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub async fn received(&self) -> Vec<Delivered> {
        let (_, text) = self.page("/sandbox/messages").await;
        serde_json::from_str::<Messages>(&text).unwrap().messages
    }

    /// How often the mail with this Message-ID was taken.
    pub async fn copies(&self, internet_message_id: &str) -> usize {
        let bare = |id: &str| id.trim_matches(['<', '>']).to_owned();
        let wanted = bare(internet_message_id);
        self.received().await.iter().filter(|mail| bare(&mail.internet_message_id) == wanted).count()
    }

    /// Those about this.
    pub async fn received_about(&self, subject: &str) -> Vec<Delivered> {
        self.received().await.into_iter().filter(|mail| mail.subject == subject).collect()
    }

    /// Limits that were not kept, of all kinds.
    pub async fn breaches(&self) -> Vec<Breach> {
        let (_, text) = self.page("/sandbox/limits").await;
        serde_json::from_str::<Breaches>(&text).unwrap().breaches
    }

    /// Plays a scenario for a mailbox from now on; `more` are further keys, such as `times`.
    pub async fn plays(&self, scenario: &str, mailbox: &str, more: Value) {
        self.posts(json!({"scenario": scenario, "mailbox": mailbox}), more).await;
    }

    /// The same for all mailboxes of a directory.
    pub async fn plays_for_directory(&self, scenario: &str, directory: &str, more: Value) {
        self.posts(json!({"scenario": scenario, "directory": directory}), more).await;
    }

    async fn posts(&self, mut posted: Value, more: Value) {
        if let (Some(posted), Value::Object(more)) = (posted.as_object_mut(), more) {
            posted.extend(more);
        }
        self.changed(self.client.post(self.url("/sandbox/scenarios")).json(&posted)).await;
    }

    pub async fn forgets_scenarios(&self) {
        self.changed(self.client.delete(self.url("/sandbox/scenarios"))).await;
    }

    pub async fn forgets_mail(&self) {
        self.changed(self.client.delete(self.url("/sandbox/messages"))).await;
    }

    pub async fn knows_directory(&self, tenant_id: &str, directory: &Value) {
        let url = self.url(&format!("/sandbox/directories/{tenant_id}"));
        self.changed(self.client.put(url).json(directory)).await;
    }

    /// What Graph answers an app's own `GET`, after `/v1.0/users/`.
    pub async fn shows(&self, token: &str, path: &str) -> Value {
        let url = self.url(&format!("/v1.0/users/{path}"));
        self.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    }

    /// An access token, as an app of the directory gets it.
    pub async fn issues_token(&self, tenant_id: &str, client_id: &str, client_secret: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let url = self.url(&format!("/{tenant_id}/oauth2/v2.0/token"));
        let answer: Value = self.client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Status and body of a page.
    pub async fn page(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    async fn changed(&self, request: reqwest::RequestBuilder) {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert_eq!(status, StatusCode::NO_CONTENT, "{}", answer.text().await.unwrap_or_default());
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests must not depend on the product's own client")]
fn client(ca_pem: Option<&[u8]>) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    let trusted = ca_pem.map(|pem| reqwest::Certificate::from_pem(pem).unwrap());
    match trusted {
        Some(trusted) => client.tls_certs_only([trusted]).build().unwrap(),
        None => client.build().unwrap(),
    }
}
