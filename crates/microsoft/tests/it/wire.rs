//! What goes over the wire, and what is made of a wire that breaks.

use std::net::TcpListener;
use std::time::Duration;

use postrider_domain::{Cloud, EmailAddress, FindingCode, Outcome, Verdict, limits};
use postrider_microsoft::SendMail;

use crate::support::{
    SECRET, Server, Then, asks, call, directory, email, email_from_desk, mailbox, microsoft_at, payload,
    send, token,
};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

fn came_to(verdict: &Verdict, outcome: Outcome, code: FindingCode) {
    let found = verdict.finding.as_ref().map(|finding| finding.code);
    assert_eq!((verdict.outcome, found), (outcome, Some(code)), "{verdict:?}");
}

fn failure(verdict: &Verdict) -> &str {
    &verdict.finding.as_ref().expect("a finding").evidence["failure"]
}

#[tokio::test]
async fn a_mail_goes_as_base64_of_mime_with_the_token_and_our_id() {
    let server = Server::that(Then::Answer(ACCEPTED.into())).await;
    assert_eq!(send(&server.microsoft()).await, Verdict::sent(None));
    let request = server.asked().remove(0).replace(&server.origin.replace("http://", ""), "HOST");
    insta::assert_snapshot!(request.replace("\r\n", "\n"));
}

#[tokio::test]
async fn another_from_goes_as_json() {
    let server = Server::that(Then::Answer(ACCEPTED.into())).await;
    let payload = payload(&email_from_desk());
    server.microsoft().send_mail(SendMail { payload, ..call(&mailbox(), &token("Mail.Send")) }).await;
    let request = server.asked().remove(0);
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.contains(r#""from":{"emailAddress":{"address":"desk@acme.example"}}"#), "{request}");
}

#[tokio::test]
async fn the_mailbox_is_one_segment_of_the_path() {
    let server = Server::that(Then::Answer(ACCEPTED.into())).await;
    for (address, path) in [
        ("a/b@x.example", "POST /v1.0/users/a%2Fb@x.example/sendMail HTTP/1.1"),
        ("o'neil+x#@acme.example", "POST /v1.0/users/o%27neil%2Bx%23@acme.example/sendMail HTTP/1.1"),
    ] {
        let mailbox = EmailAddress::parse(address).expect("an address");
        server.microsoft().send_mail(call(&mailbox, &token("Mail.Send"))).await;
        assert_eq!(server.asked().last().and_then(|request| request.lines().next()), Some(path));
    }
}

#[tokio::test]
async fn a_token_is_asked_for_by_a_form() {
    let server = Server::that(Then::Close).await;
    let refusal = asks(&server.microsoft(), Cloud::UsGovDod, SECRET).await;
    assert_eq!(refusal.expect_err("no token").finding.code, FindingCode::NetworkUnreachable);
    let request = server.asked().remove(0);
    let (head, form) = request.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("POST /contoso.example/oauth2/v2.0/token HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        form,
        "client_id=11111111-2222-3333-4444-555555555555&grant_type=client_credentials\
         &scope=https%3A%2F%2Fdod-graph.microsoft.us%2F.default&client_secret=s3cr%7Et.Value_%2B%2F%3D%26"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::that(Then::Answer(ACCEPTED.into())).await;
    for status in
        ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let answer =
            format!("HTTP/1.1 {status}\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n", elsewhere.origin);
        let server = Server::that(Then::Answer(answer.into())).await;
        came_to(&send(&server.microsoft()).await, Outcome::Deferred, FindingCode::MicrosoftUnavailable);
        assert_eq!(server.asked().len(), 1);
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_call_without_an_answer_is_in_doubt_when_its_time_is_up() {
    let server = Server::that(Then::Hang).await;
    let timeout = Duration::from_millis(300);
    let (mailbox, token) = (mailbox(), token("Mail.Send"));
    let call = SendMail { timeout, ..call(&mailbox, &token) };
    let verdict = server.microsoft().send_mail(call).await.verdict;
    came_to(&verdict, Outcome::InDoubt, FindingCode::OutcomeUnknown);
    assert_eq!((failure(&verdict), server.asked().len()), ("timeout", 1));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_body_is_in_doubt_and_not_tried_again() {
    let server = Server::that(Then::Close).await;
    let verdict = send(&server.microsoft()).await;
    came_to(&verdict, Outcome::InDoubt, FindingCode::OutcomeUnknown);
    assert_eq!((failure(&verdict), server.asked().len()), ("connection_lost", 1));
}

#[tokio::test]
async fn half_an_answer_without_a_status_is_in_doubt() {
    let server = Server::that(Then::Answer(b"HTTP/1.1 20".to_vec())).await;
    came_to(&send(&server.microsoft()).await, Outcome::InDoubt, FindingCode::OutcomeUnknown);
}

#[tokio::test]
async fn half_a_body_leaves_the_status_as_it_is() {
    let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 1000\r\n\r\n{\"error\"".to_vec();
    let server = Server::that(Then::Answer(answer)).await;
    came_to(&send(&server.microsoft()).await, Outcome::Rejected, FindingCode::MessageTooLarge);
}

#[tokio::test]
async fn a_refused_connection_never_started() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let microsoft = microsoft_at(&format!("http://{closed}"));
    let verdict = send(&microsoft).await;
    came_to(&verdict, Outcome::Deferred, FindingCode::NetworkUnreachable);
    assert_eq!(failure(&verdict), "connect");
    let refusal = asks(&microsoft, Cloud::Global, SECRET).await;
    assert_eq!(refusal.expect_err("no token").finding.code, FindingCode::NetworkUnreachable);
    let found = microsoft.discover(Cloud::Global, &directory()).await;
    assert_eq!(found.expect_err("nothing").code, FindingCode::NetworkUnreachable);
}

/// A host that answers nothing at all, not even to a connection; the call's time is shorter than that to connect.
#[tokio::test]
async fn a_dead_host_never_started_however_short_the_time() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let full = socket.listen(1).expect("a listener");
    let address = full.local_addr().expect("an address");
    // Nobody accepts: once some wait, the next is not even answered.
    let mut waiting = Vec::new();
    let connecting =
        || tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address));
    while let Ok(connected) = connecting().await {
        waiting.push(connected.expect("a connection"));
    }
    let microsoft = microsoft_at(&format!("http://{address}"));
    let (mailbox, token) = (mailbox(), token("Mail.Send"));
    let call = SendMail { timeout: Duration::from_millis(400), ..call(&mailbox, &token) };
    came_to(&microsoft.send_mail(call).await.verdict, Outcome::Deferred, FindingCode::NetworkUnreachable);
    drop(waiting);
}

#[tokio::test]
async fn a_host_that_speaks_no_tls_never_started() {
    let raw = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("https://{}", raw.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = raw.accept().await {
            tokio::io::AsyncWriteExt::write_all(&mut stream, ACCEPTED.as_bytes()).await.expect("a write");
        }
    });
    came_to(&send(&microsoft_at(&origin)).await, Outcome::Deferred, FindingCode::NetworkUnreachable);
}

#[tokio::test]
async fn a_connection_closed_while_idle_brings_no_doubt() {
    let server = Server::that(Then::Answer(ACCEPTED.into())).await;
    let microsoft = server.microsoft();
    assert_eq!(send(&microsoft).await.outcome, Outcome::Sent);
    // The server's close must have arrived, as it has in the minutes between two mails.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(send(&microsoft).await.outcome, Outcome::Sent);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_body_without_end_is_read_to_its_limit() {
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 1000000000000\r\n\r\n";
    let server = Server::that(Then::Flood(head)).await;
    came_to(&send(&server.microsoft()).await, Outcome::Deferred, FindingCode::MicrosoftUnavailable);
}

#[tokio::test]
async fn a_202_needs_no_body() {
    let server =
        Server::that(Then::Flood("HTTP/1.1 202 Accepted\r\nContent-Length: 1000000000000\r\n\r\n")).await;
    assert_eq!(send(&server.microsoft()).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn what_graph_would_refuse_for_its_size_is_not_sent() {
    let server = Server::that(Then::Answer(ACCEPTED.into())).await;
    let mut email = email();
    email.text = Some("x".repeat(limits::GRAPH_REQUEST_BYTES_MAX));
    let payload = payload(&email);
    let (mailbox, token) = (mailbox(), token("Mail.Send"));
    let call = SendMail { payload, ..call(&mailbox, &token) };
    let verdict = server.microsoft().send_mail(call).await.verdict;
    came_to(&verdict, Outcome::Rejected, FindingCode::MessageTooLarge);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let server = Server::that(Then::Close).await;
    let microsoft = server.microsoft();
    let token = token("Mail.Send");
    let mailbox = mailbox();
    let call = call(&mailbox, &token);
    let before = format!("{call:?} {microsoft:?}");
    let verdict = microsoft.send_mail(call).await.verdict;
    let refusal = asks(&microsoft, Cloud::Global, SECRET).await;
    let printed = format!("{before} {verdict:?} {refusal:?}");
    let payload = data_encoding::BASE64.encode(b"Hello");
    for secret in [SECRET, "e30.", "Hello", &payload, "Offer 4711"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
