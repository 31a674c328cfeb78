//! A running sandbox, and a client that speaks to it as an app speaks to Microsoft.

use std::net::SocketAddr;

use data_encoding::BASE64;
use postrider_sandbox::{Directory, Options, Sandbox, seed};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const MIME: &str = "From: Sales <sales@acme.example>\r\nTo: Ada <ada@example.net>\r\nCc: cc@example.net\r\n\
    Bcc: archive@example.net\r\nSubject: Offer 4711\r\nMessage-ID: <one@acme.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\nHello Ada\r\n";

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) client: Client,
    _stop: DropGuard,
}

/// Status, headers of interest and body, read to the end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and Graph's error code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"]["code"].as_str().unwrap().to_owned())
    }

    /// Status, Entra's error and its AADSTS number.
    pub(crate) fn aadsts(&self) -> (u16, String, u64) {
        let json = self.json();
        (
            self.status.as_u16(),
            json["error"].as_str().unwrap().to_owned(),
            json["error_codes"][0].as_u64().unwrap(),
        )
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox must not depend on the crate that owns the client"
)]
fn client(ca_pem: Option<&str>) -> Client {
    let client = Client::builder().no_proxy();
    let trusted = ca_pem.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    match trusted {
        Some(trusted) => client.tls_certs_only([trusted]).build().unwrap(),
        None => client.build().unwrap(),
    }
}

pub(crate) async fn sandbox() -> Running {
    sandbox_with(Options::default()).await
}

pub(crate) async fn sandbox_with(options: Options) -> Running {
    let sandbox = Sandbox::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap();
    sandbox.put_directory(seed::TENANT_ID, seed::directory()).unwrap();
    let scheme = if sandbox.ca_pem().is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", sandbox.local_addr());
    let client = client(sandbox.ca_pem());
    let shutdown = CancellationToken::new();
    tokio::spawn(sandbox.serve(shutdown.clone()));
    Running { url, client, _stop: shutdown.drop_guard() }
}

impl Running {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.url)).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.client.delete(format!("{}{path}", self.url)).send().await.unwrap()).await
    }

    pub(crate) async fn put_directory(&self, tenant: &str, directory: Value) -> Answer {
        let url = format!("{}/sandbox/directories/{tenant}", self.url);
        Answer::of(self.client.put(url).json(&directory).send().await.unwrap()).await
    }

    pub(crate) async fn scenario(&self, scenario: Value) {
        let answer = self.post_scenario(scenario).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }

    pub(crate) async fn post_scenario(&self, scenario: Value) -> Answer {
        let url = format!("{}/sandbox/scenarios", self.url);
        Answer::of(self.client.post(url).json(&scenario).send().await.unwrap()).await
    }

    pub(crate) async fn ask_token(&self, tenant: &str, client_id: &str, secret: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        self.ask_token_with(tenant, &form).await
    }

    pub(crate) async fn ask_token_with(&self, tenant: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.url);
        Answer::of(self.client.post(url).form(form).send().await.unwrap()).await
    }

    pub(crate) async fn token_of(&self, client_id: &str) -> String {
        let answer = self.ask_token(seed::TENANT_ID, client_id, seed::SECRET).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn token(&self) -> String {
        self.token_of(seed::CLIENT_ID).await
    }

    pub(crate) fn request(&self, mailbox: &str, token: &str) -> RequestBuilder {
        self.client.post(format!("{}/v1.0/users/{mailbox}/sendMail", self.url)).bearer_auth(token)
    }

    pub(crate) fn mime(&self, mailbox: &str, token: &str, mime: &str) -> RequestBuilder {
        let body = BASE64.encode(mime.as_bytes());
        self.request(mailbox, token).header("content-type", "text/plain").body(body)
    }

    pub(crate) async fn send(&self, mailbox: &str, token: &str) -> Answer {
        Answer::of(self.mime(mailbox, token, MIME).send().await.unwrap()).await
    }

    pub(crate) async fn send_json(&self, token: &str, message: Value) -> Answer {
        let request = self.request(seed::MAILBOX, token).json(&json!({"message": message}));
        Answer::of(request.send().await.unwrap()).await
    }

    /// A call to Graph after `/v1.0/users/{mailbox}`.
    pub(crate) async fn graph(&self, method: &str, token: &str, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}/v1.0/users/{}{path}", self.url, seed::MAILBOX);
        let request = self.client.request(method.parse().unwrap(), url).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Answer::of(request.send().await.unwrap()).await
    }

    /// A draft of a short message; its id.
    pub(crate) async fn draft(&self, token: &str) -> String {
        let message = json!({
            "subject": "Large",
            "body": {"contentType": "text", "content": "See the files."},
            "toRecipients": [{"emailAddress": {"address": "ada@example.net"}}],
            "internetMessageId": "<large@acme.example>",
        });
        let made = self.graph("POST", token, "/messages", Some(message)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn messages(&self) -> Vec<Value> {
        self.get("/sandbox/messages").await.json()["messages"].as_array().unwrap().clone()
    }

    /// How often the limit was breached, over all mailboxes.
    pub(crate) async fn breaches(&self, limit: &str) -> u64 {
        let breaches = self.get("/sandbox/limits").await.json()["breaches"].clone();
        let of_limit = breaches.as_array().unwrap().iter().filter(|breach| breach["limit"] == limit);
        of_limit.map(|breach| breach["count"].as_u64().unwrap()).sum()
    }
}

/// What a reader of the directory's types sees: they can be built in process too.
pub(crate) fn empty_directory() -> Directory {
    Directory::default()
}
