//! What Graph refuses about the mail itself, by its code.

use postrider_sandbox::seed::{MAILBOX, SECOND_MAILBOX};
use serde_json::{Value, json};

use crate::harness::{Answer, MIME, Running, sandbox};

fn to(address: &str) -> Value {
    json!([{"emailAddress": {"address": address}}])
}

async fn json_refusal(sandbox: &Running, message: Value) -> (u16, String) {
    let token = sandbox.token().await;
    sandbox.send_json(&token, message).await.refusal()
}

#[tokio::test]
async fn recipients_are_neither_missing_nor_malformed_nor_too_many() {
    let sandbox = sandbox().await;
    let invalid = (400, "ErrorInvalidRecipients".to_owned());
    assert_eq!(json_refusal(&sandbox, json!({"subject": "none"})).await, invalid);
    assert_eq!(json_refusal(&sandbox, json!({"toRecipients": to("bad")})).await, invalid);
    assert_eq!(json_refusal(&sandbox, json!({"toRecipients": to("a@b.example;c@d.example")})).await, invalid);
    let many: Vec<Value> =
        (0..501).map(|n| json!({"emailAddress": {"address": format!("a{n}@b.example")}})).collect();
    let refusal = json_refusal(&sandbox, json!({"toRecipients": many})).await;
    assert_eq!(refusal, (400, "ErrorExceededMaxRecipientLimit".to_owned()));

    let token = sandbox.token().await;
    let lonely = sandbox.mime(MAILBOX, &token, "Subject: nobody\r\n\r\nHello\r\n");
    assert_eq!(Answer::of(lonely.send().await.unwrap()).await.refusal(), invalid);
}

#[tokio::test]
async fn a_from_needs_the_right_to_send_as_it_in_json_and_is_ignored_in_mime() {
    let sandbox = sandbox().await;
    let from = |address: &str| json!({"from": to(address)[0], "toRecipients": to("ada@example.net")});
    let refusal = json_refusal(&sandbox, from("boss@acme.example")).await;
    assert_eq!(refusal, (403, "ErrorSendAsDenied".to_owned()));
    let token = sandbox.token().await;
    assert_eq!(sandbox.send_json(&token, from(SECOND_MAILBOX)).await.status, 202);
    let mime = MIME.replace("sales@acme.example", "boss@acme.example");
    let answer = Answer::of(sandbox.mime(MAILBOX, &token, &mime).send().await.unwrap()).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn custom_headers_start_with_x_and_are_five_at_most() {
    let sandbox = sandbox().await;
    let with =
        |headers: Value| json!({"toRecipients": to("ada@example.net"), "internetMessageHeaders": headers});
    let refusal = json_refusal(&sandbox, with(json!([{"name": "List-Unsubscribe", "value": "<x>"}]))).await;
    assert_eq!(refusal, (400, "InvalidInternetMessageHeader".to_owned()));
    let six: Vec<Value> = (0..6).map(|n| json!({"name": format!("x-{n}"), "value": "v"})).collect();
    let refusal = json_refusal(&sandbox, with(json!(six))).await;
    assert_eq!(refusal, (400, "InvalidInternetMessageHeaderCollection".to_owned()));
}

#[tokio::test]
async fn unreadable_content_is_refused_by_what_is_wrong_with_it() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let cases = [
        ("text/plain", "no base64!", 400, "ErrorMimeContentInvalidBase64String"),
        ("application/json", "{", 400, "BadRequest"),
        ("application/json", "{\"subject\": \"no wrapper\"}", 400, "UnableToDeserializePostBody"),
        ("application/json", "{\"message\": {\"subject\": 5}}", 400, "UnableToDeserializePostBody"),
        ("application/json", "{\"message\": {\"Subject\": \"case\"}}", 400, "RequestBodyRead"),
        ("application/xml", "<a/>", 415, "UnsupportedMediaType"),
    ];
    for (content_type, body, status, code) in cases {
        let request = sandbox.request(MAILBOX, &token).header("content-type", content_type).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{body}");
    }
    assert!(sandbox.messages().await.is_empty());
}

#[tokio::test]
async fn a_request_over_4_mb_is_413_and_its_sender_hears_it() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    for megabytes in [5, 20] {
        let request = sandbox.request(MAILBOX, &token).header("content-type", "text/plain");
        let answer = Answer::of(request.body("A".repeat(megabytes << 20)).send().await.unwrap()).await;
        assert_eq!(answer.refusal(), (413, "BadRequest".to_owned()));
        assert_eq!(answer.json()["error"]["message"], "The maximum request length supported is 4MB.");
    }
}

#[tokio::test]
async fn an_app_has_no_me_and_paths_that_are_not_served_say_so() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.get("/v1.0/me/sendMail").await.status, 400);
    assert_eq!(sandbox.get(&format!("/v1.0/users/{MAILBOX}/calendar")).await.status, 501);
    assert_eq!(sandbox.get(&format!("/v1.0/users/{MAILBOX}/messages")).await.status, 401);
    assert_eq!(sandbox.get(&format!("/v1.0/users/{MAILBOX}/sendMail")).await.status, 405);
}
