//! What becomes of mail after its 202, and what Exchange changes in it.

use data_encoding::BASE64;
use postrider_sandbox::seed::{MAILBOX, READ_WRITE_CLIENT_ID, SECOND_MAILBOX};
use serde_json::{Value, json};

use crate::harness::{Answer, MIME, Running, sandbox};

async fn given(scenario: &str) -> (Running, String) {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(READ_WRITE_CLIENT_ID).await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": scenario})).await;
    (sandbox, token)
}

async fn send(sandbox: &Running, token: &str, mime: &str) -> Value {
    let answer = Answer::of(sandbox.mime(MAILBOX, token, mime).send().await.unwrap()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    sandbox.messages().await.last().unwrap().clone()
}

fn raw(message: &Value) -> String {
    String::from_utf8(BASE64.decode(message["raw"].as_str().unwrap().as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_bounce_comes_after_the_202_and_lies_in_the_senders_inbox() {
    let (sandbox, token) = given("ndr-later").await;
    let message = send(&sandbox, &token, MIME).await;
    assert_eq!(message["delivery"]["status"], "failed");
    assert!(message["delivery"]["reason"].as_str().unwrap().starts_with("550 5.1.10"));
    let inbox = sandbox.graph("GET", &token, "/mailFolders/inbox/messages", None).await.json();
    assert_eq!(inbox["value"][0]["subject"], "Undeliverable: Offer 4711");
    assert!(inbox["value"][0]["body"]["content"].as_str().unwrap().contains("ada@example.net"));
}

#[tokio::test]
async fn the_tenants_limit_stops_only_mail_to_the_outside() {
    let (sandbox, token) = given("terrl").await;
    let mixed = MIME.replace("Cc: cc@example.net", "Cc: support@acme.example");
    let message = send(&sandbox, &token, &mixed).await;
    assert!(message["delivery"]["reason"].as_str().unwrap().contains("5.7.233"));
    assert_eq!(message["delivery"]["failed_recipients"], json!(["ada@example.net", "archive@example.net"]));
    let inside = "To: support@acme.example\r\nSubject: inside\r\n\r\nHello\r\n";
    assert_eq!(send(&sandbox, &token, inside).await["delivery"]["status"], "delivered");
}

#[tokio::test]
async fn beyond_thirty_a_minute_mail_is_taken_and_waits() {
    let (sandbox, token) = given("slow-30-per-minute").await;
    let first = send(&sandbox, &token, MIME).await;
    assert_eq!(first["delivery"]["status"], "delivered");
    let second = send(&sandbox, &token, MIME).await;
    assert_eq!(second["delivery"]["status"], "pending");
    sandbox.send(SECOND_MAILBOX, &token).await;
    assert_eq!(sandbox.messages().await[2]["delivery"]["status"], "delivered");
}

#[tokio::test]
async fn a_from_is_replaced_by_the_mailboxs_own_address() {
    let (sandbox, token) = given("rewrite-from-to-primary").await;
    let raw = raw(&send(&sandbox, &token, MIME).await);
    assert!(raw.contains("From: <sales@acme.example>\r\nTo: Ada") && !raw.contains("Sales <"), "{raw}");
}

#[tokio::test]
async fn an_x_header_of_mime_is_dropped_until_json_has_brought_its_name() {
    let (sandbox, token) = given("drop-unknown-x-headers-in-mime").await;
    let mime = MIME.replace("MIME-Version", "X-App-Id: 1\r\n continued\r\nMIME-Version");
    assert!(!raw(&send(&sandbox, &token, &mime).await).contains("X-App-Id"));
    let message = json!({
        "toRecipients": [{"emailAddress": {"address": "a@b.example"}}],
        "internetMessageHeaders": [{"name": "x-app-id", "value": "2"}],
    });
    assert_eq!(sandbox.send_json(&token, message).await.status, 202);
    assert!(raw(&send(&sandbox, &token, &mime).await).contains("X-App-Id: 1\r\n continued\r\n"));
}
