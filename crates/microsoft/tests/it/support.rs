//! A Microsoft that does as it is told, byte for byte, and the values that every test needs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use postrider_domain::{
    AccessToken, Address, AddressDraft, AttachmentDraft, Certificate, ClientId, Cloud, DirectoryId, Email,
    EmailAddress, EmailDraft, PaceOverride, SettingsValues, TestClock, TokenRefusal, Verdict, limits,
};
use postrider_microsoft::{CertificateFile, Hosts, Microsoft, Payload, Proof, SendMail, read_certificate};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

pub(crate) const NOW: &str = "2026-11-23T10:00:00Z";
pub(crate) const SECRET: &str = "s3cr~t.Value_+/=&";
pub(crate) const CLIENT_REQUEST_ID: Uuid = Uuid::from_u128(0x00C1_1E47);

/// What the server does once it has read a request whole.
#[derive(Clone)]
pub(crate) enum Then {
    /// Writes these bytes and closes.
    Answer(Vec<u8>),
    /// Never answers.
    Hang,
    /// Closes without a byte.
    Close,
    /// Writes this head, and then a body without end.
    Flood(&'static str),
    /// One after the other, then closes; `ORIGIN` stands for the server's own.
    InTurn(Arc<Mutex<VecDeque<String>>>),
}

impl Then {
    pub(crate) fn in_turn(answers: &[&str]) -> Self {
        Then::InTurn(Arc::new(Mutex::new(answers.iter().map(|&answer| answer.to_owned()).collect())))
    }
}

/// A server on a port of its own, with all that was asked of it.
pub(crate) struct Server {
    pub origin: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn that(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, own) = (asked.clone(), origin.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, then.clone(), log.clone(), own.clone()));
            }
        });
        Self { origin, asked }
    }

    /// Each request as it came, head and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the log").clone()
    }

    pub(crate) fn microsoft(&self) -> Microsoft {
        microsoft_at(&self.origin)
    }
}

pub(crate) fn microsoft_at(origin: &str) -> Microsoft {
    let hosts = Hosts::replaced(Some(origin), Some(origin)).expect("an origin");
    Microsoft::new(hosts, None, Arc::new(TestClock::at(now()))).expect("a client")
}

async fn serve(mut stream: TcpStream, then: Then, log: Arc<Mutex<Vec<String>>>, origin: String) {
    let Some(request) = read_request(&mut stream).await else { return };
    log.lock().expect("the log").push(request);
    let written = match then {
        Then::Answer(bytes) => stream.write_all(&bytes).await,
        Then::Hang => std::future::pending().await,
        Then::Close => Ok(()),
        Then::Flood(head) => flood(&mut stream, head).await,
        Then::InTurn(answers) => {
            let answer = answers.lock().expect("the answers").pop_front().unwrap_or_default();
            stream.write_all(answer.replace("ORIGIN", &origin).as_bytes()).await
        }
    };
    // A client that has heard enough may be gone: that is its right.
    let _ = written;
}

async fn flood(stream: &mut TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(&[b'x'; 16 * 1024]).await?;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

pub(crate) fn directory() -> DirectoryId {
    DirectoryId::parse("contoso.example").expect("a domain")
}

pub(crate) fn client() -> ClientId {
    ClientId::parse("11111111-2222-3333-4444-555555555555").expect("a GUID")
}

pub(crate) async fn asks_by(microsoft: &Microsoft, proof: &Proof<'_>) -> Result<AccessToken, TokenRefusal> {
    microsoft.token(Cloud::Global, &directory(), &client(), proof).await
}

/// A certificate of the tests, or one that has run out.
pub(crate) fn certificate(is_expired: bool) -> Certificate {
    let pem = include_str!("../certificates/chain.pem");
    let certificate = read_certificate(&CertificateFile::Pem(pem), "", false).expect("a certificate");
    let expire_time = if is_expired { Timestamp::UNIX_EPOCH } else { certificate.expire_time };
    Certificate { expire_time, ..certificate }
}

/// More than one request can carry.
pub(crate) fn large_email() -> Email {
    let file = AttachmentDraft {
        file_name: "plan.bin".to_owned(),
        content: vec![7; 5_000_000].into(),
        ..AttachmentDraft::default()
    };
    let draft = EmailDraft { attachments: vec![file], ..draft() };
    Email::parse(draft, "email").expect("an email")
}

/// Asks for a token by a client secret.
pub(crate) async fn asks(
    microsoft: &Microsoft,
    cloud: Cloud,
    secret: &str,
) -> Result<AccessToken, TokenRefusal> {
    let secret = SecretString::from(secret);
    microsoft.token(cloud, &directory(), &client(), &Proof::ClientSecret(&secret)).await
}

pub(crate) fn mailbox() -> EmailAddress {
    EmailAddress::parse("sales@acme.example").expect("an address")
}

/// An access token with these claims; `opaque` for one that is no JWT.
pub(crate) fn token(kind: &str) -> AccessToken {
    let jwt = |claims: String| format!("e30.{}.x", BASE64URL_NOPAD.encode(claims.as_bytes()));
    let text = match kind {
        "opaque" => "opaque-token".to_owned(),
        "delegated" => jwt(r#"{"scp":"Mail.Send"}"#.to_owned()),
        "none" => jwt("{}".to_owned()),
        role => jwt(format!(r#"{{"roles":["{role}"]}}"#)),
    };
    AccessToken { secret: text.into(), expire_time: Timestamp::MAX }
}

fn draft() -> EmailDraft {
    let to = AddressDraft { address: "ada@example.net".to_owned(), display_name: "Ada".to_owned() };
    EmailDraft {
        to: vec![to],
        subject: "Offer 4711".to_owned(),
        text: "Hello".to_owned(),
        save_to_sent_items: true,
        ..EmailDraft::default()
    }
}

pub(crate) fn email() -> Email {
    Email::parse(draft(), "email").expect("an email")
}

pub(crate) fn settings(mailbox: EmailAddress) -> SettingsValues {
    SettingsValues {
        directory: directory(),
        client: client(),
        mailbox,
        cloud: Cloud::Global,
        send_as: vec![EmailAddress::parse("desk@acme.example").expect("an address")],
        pace: PaceOverride::default(),
        labels: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn email_from_desk() -> Email {
    let address = EmailAddress::parse("desk@acme.example").expect("an address");
    Email { from: Some(Address { address, display_name: None }), ..email() }
}

pub(crate) fn payload(email: &Email) -> Payload {
    Payload::build(email, &settings(mailbox()), "<id@acme.example>", now())
}

/// A call with one plain mail, and time enough.
pub(crate) fn call<'a>(mailbox: &'a EmailAddress, token: &'a AccessToken) -> SendMail<'a> {
    SendMail {
        cloud: Cloud::Global,
        mailbox,
        token,
        payload: payload(&email()),
        client_request_id: CLIENT_REQUEST_ID,
        timeout: limits::CALL_TIMEOUT,
    }
}

/// Sends one plain mail.
pub(crate) async fn send(microsoft: &Microsoft) -> Verdict {
    microsoft.send_mail(call(&mailbox(), &token("Mail.Send"))).await.verdict
}
