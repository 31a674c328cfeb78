//! Drafts: made, filled, found again, sent, deleted.

use data_encoding::BASE64;
use mail_parser::{MessageParser, MimeHeaders};
use postrider_sandbox::seed::{self, MAILBOX, READ_WRITE_CLIENT_ID};
use serde_json::{Value, json};

use crate::harness::{MIME, Running, sandbox};

async fn able() -> (Running, String) {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(READ_WRITE_CLIENT_ID).await;
    (sandbox, token)
}

fn file(name: &str, content: &[u8]) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": name,
        "contentType": "application/pdf",
        "contentBytes": BASE64.encode(content),
    })
}

#[tokio::test]
async fn a_draft_is_filled_and_sent_and_is_a_draft_no_more() {
    let (sandbox, token) = able().await;
    let id = sandbox.draft(&token).await;
    let attachments = format!("/messages/{id}/attachments");
    let added = sandbox.graph("POST", &token, &attachments, Some(file("Angebot Grün.pdf", b"%PDF-1"))).await;
    assert_eq!(added.status, 201);
    assert!(added.header("location").unwrap().contains(added.json()["id"].as_str().unwrap()));
    let listed = sandbox.graph("GET", &token, &attachments, None).await.json();
    assert_eq!(listed["value"][0]["name"], "Angebot Grün.pdf");
    assert!(sandbox.messages().await.is_empty());

    let sent = sandbox.graph("POST", &token, &format!("/messages/{id}/send"), None).await;
    assert_eq!((sent.status.as_u16(), sent.text.as_str()), (202, ""));
    let messages = sandbox.messages().await;
    assert_eq!(messages[0]["internet_message_id"], "<large@acme.example>");
    let raw = BASE64.decode(messages[0]["raw"].as_str().unwrap().as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    let attached = parsed.attachments().next().unwrap();
    assert_eq!(attached.attachment_name(), Some("Angebot Grün.pdf"));
    assert_eq!(attached.contents(), b"%PDF-1");
    assert!(parsed.body_text(0).unwrap().contains("See the files."));
    assert_eq!(sandbox.graph("POST", &token, &format!("/messages/{id}/send"), None).await.status, 404);
}

#[tokio::test]
async fn a_draft_made_of_mime_keeps_what_the_mime_said() {
    let (sandbox, token) = able().await;
    let url = format!("{}/v1.0/users/{MAILBOX}/messages", sandbox.url);
    let made = sandbox.client.post(url).bearer_auth(&token).header("content-type", "text/plain");
    let made = made.body(BASE64.encode(MIME.as_bytes())).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let id = made.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    sandbox.graph("POST", &token, &format!("/messages/{id}/attachments"), Some(file("a.pdf", b"a"))).await;
    assert_eq!(sandbox.graph("POST", &token, &format!("/messages/{id}/send"), None).await.status, 202);
    let raw = sandbox.messages().await[0]["raw"].as_str().unwrap().to_owned();
    let raw = BASE64.decode(raw.as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(parsed.message_id(), Some("one@acme.example"));
    assert!(parsed.body_text(0).unwrap().contains("Hello Ada"));
    assert_eq!((parsed.attachment_count(), parsed.bcc().unwrap().iter().count()), (1, 1));
}

/// RFC 2046 §5.2.1: no reader undoes base64 there.
#[tokio::test]
async fn a_mail_that_is_added_as_a_file_is_kept_as_it_is() {
    let (sandbox, token) = able().await;
    let mail = "Subject: within\r\nMIME-Version: 1.0\r\n\r\nHello\r\n";
    let of = |name: &str, content: &str| {
        let mut file = file(name, content.as_bytes());
        file["contentType"] = "message/rfc822".into();
        file
    };
    let eight_bits = "Subject: ä\r\n\r\nHello\r\n";
    let id = sandbox.draft(&token).await;
    for file in [of("a.eml", mail), of("b.eml", eight_bits)] {
        sandbox.graph("POST", &token, &format!("/messages/{id}/attachments"), Some(file)).await;
    }
    assert_eq!(sandbox.graph("POST", &token, &format!("/messages/{id}/send"), None).await.status, 202);
    let whole = json!({
        "subject": "one request",
        "toRecipients": [{"emailAddress": {"address": "a@b.example"}}],
        "attachments": [of("a.eml", mail), of("b.eml", eight_bits)],
    });
    sandbox.send_json(&token, whole).await;
    let kept = sandbox.messages().await;
    assert_eq!(kept.len(), 2);
    for kept in kept {
        let raw = BASE64.decode(kept["raw"].as_str().unwrap().as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&raw);
        assert!(text.contains(mail), "{text}");
        let parsed = MessageParser::default().parse(&raw).unwrap();
        let files: Vec<_> = parsed.attachments().collect();
        assert_eq!(files[0].contents(), mail.as_bytes());
        assert_eq!(files[0].message().unwrap().subject(), Some("within"));
        assert_eq!((files[1].attachment_name(), files[1].contents()), (Some("b.eml"), eight_bits.as_bytes()));
    }
}

#[tokio::test]
async fn a_draft_is_found_by_its_message_id_and_deleted_once() {
    let (sandbox, token) = able().await;
    let id = sandbox.draft(&token).await;
    let find =
        "/mailFolders/drafts/messages?$filter=internetMessageId%20eq%20'%3Clarge@acme.example%3E'&$select=id";
    let found = sandbox.graph("GET", &token, find, None).await.json();
    assert_eq!(found["value"], json!([{"id": id}]));
    let none = find.replace("large", "other");
    assert_eq!(sandbox.graph("GET", &token, &none, None).await.json()["value"], json!([]));
    let unknown = sandbox.graph("GET", &token, "/messages?$filter=subject%20eq%20'a'", None).await;
    assert_eq!(unknown.refusal(), (400, "ErrorInvalidUrlQueryFilter".to_owned()));
    assert_eq!(sandbox.graph("DELETE", &token, &format!("/messages/{id}"), None).await.status, 204);
    let again = sandbox.graph("DELETE", &token, &format!("/messages/{id}"), None).await;
    assert_eq!(again.refusal(), (404, "ErrorItemNotFound".to_owned()));
}

#[tokio::test]
async fn nothing_of_it_goes_without_mail_read_write_and_nobody_learns_of_users() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let denied = (403, "ErrorAccessDenied".to_owned());
    for (method, path) in [
        ("POST", "/messages"),
        ("GET", "/messages"),
        ("GET", "/mailFolders/sentitems/messages"),
        ("POST", "/messages/x/attachments"),
        ("POST", "/messages/x/attachments/createUploadSession"),
        ("DELETE", "/messages/x"),
    ] {
        let body = (method == "POST").then(|| json!({}));
        assert_eq!(sandbox.graph(method, &token, path, body).await.refusal(), denied, "{method} {path}");
    }
    let user = sandbox.graph("GET", &token, "", None).await;
    assert_eq!(user.refusal(), (403, "Authorization_RequestDenied".to_owned()));
    let all = sandbox.token_of(seed::NO_MAIL_SEND_CLIENT_ID).await;
    assert_eq!(sandbox.graph("GET", &all, "", None).await.json()["mail"], MAILBOX);
}

#[tokio::test]
async fn sent_items_show_what_was_sent_unless_the_copy_was_not_wanted() {
    let (sandbox, token) = able().await;
    sandbox.send(MAILBOX, &token).await;
    let message =
        json!({"subject": "unsaved", "toRecipients": [{"emailAddress": {"address": "a@b.example"}}]});
    let body = json!({"message": message, "saveToSentItems": false});
    assert_eq!(sandbox.request(MAILBOX, &token).json(&body).send().await.unwrap().status(), 202);
    let path = "/mailFolders/sentitems/messages";
    let sent = sandbox.graph("GET", &token, path, None).await.json();
    assert_eq!(sent["value"].as_array().unwrap().len(), 1);
    assert_eq!(sent["value"][0]["internetMessageId"], "<one@acme.example>");
    let one = sent["value"][0]["id"].as_str().unwrap();
    let read = sandbox.graph("GET", &token, &format!("/messages/{one}?$select=subject"), None).await.json();
    assert_eq!(read, json!({"id": one, "subject": "Offer 4711"}));
}

#[tokio::test]
async fn what_goes_wrong_with_a_draft_is_scripted_apart_from_the_sending() {
    let (sandbox, token) = able().await;
    let id = sandbox.draft(&token).await;
    let scenario = json!({"mailbox": MAILBOX, "scenario": "503-stale", "call": "draft", "times": 1});
    sandbox.scenario(scenario).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
    let refused =
        sandbox.graph("POST", &token, &format!("/messages/{id}/attachments"), Some(file("a", b"a"))).await;
    assert_eq!(refused.refusal(), (503, "MailboxInfoStale".to_owned()));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "504-but-delivered", "times": 1})).await;
    let lost = sandbox.graph("POST", &token, &format!("/messages/{id}/send"), None).await;
    assert_eq!(lost.status, 504);
    let sent = sandbox.get("/sandbox/messages?internet_message_id=large@acme.example").await.json();
    assert_eq!(sent["messages"][0]["copies"], 1);
    assert_eq!(sandbox.graph("DELETE", &token, &format!("/messages/{id}"), None).await.status, 404);
}
