//! The main path: a token, a mail, and the mail in the store.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use mail_parser::MessageParser;
use postrider_sandbox::seed;
use serde_json::{Value, json};

use crate::harness::{Answer, MIME, sandbox};

#[tokio::test]
async fn a_mime_mail_is_answered_with_an_empty_202_and_stored_as_it_was_sent() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let request = sandbox.mime(seed::MAILBOX, &token, MIME).header("client-request-id", "my-own-id");
    let answer = Answer::of(request.send().await.unwrap()).await;

    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, ""));
    assert_eq!(answer.header("content-length"), Some("0"));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("client-request-id"), Some("my-own-id"));
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert_eq!(answer.header("request-id").unwrap().len(), 36);
    assert!(answer.header("x-ms-ags-diagnostic").unwrap().contains("ServerInfo"));
    assert!(answer.header("date").unwrap().ends_with("GMT"));

    let messages = sandbox.messages().await;
    assert_eq!(messages.len(), 1);
    let mail = &messages[0];
    assert_eq!(mail["mailbox"], seed::MAILBOX);
    assert_eq!(mail["internet_message_id"], "<one@acme.example>");
    assert_eq!(mail["subject"], "Offer 4711");
    assert_eq!(mail["recipients"], json!(["ada@example.net", "cc@example.net", "archive@example.net"]));
    assert_eq!(mail["copies"], 1);
    assert_eq!(BASE64.decode(mail["raw"].as_str().unwrap().as_bytes()).unwrap(), MIME.as_bytes());
    assert!(mail["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_json_mail_is_stored_as_the_message_that_exchange_would_make_of_it() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let message = json!({
        "subject": "Grüße\r\nBcc: evil@example.net",
        "body": {"contentType": "HTML", "content": "<p>Hello <img src=\"cid:logo1\"></p>"},
        "toRecipients": [{"emailAddress": {"name": "Ada \"A\" Ünal", "address": "ada@example.net"}}],
        "bccRecipients": [{"emailAddress": {"address": "archive@example.net"}}],
        "replyTo": [{"emailAddress": {"address": "desk@acme.example"}}],
        "internetMessageHeaders": [{"name": "x-app-message-id", "value": "01J"}],
        "attachments": [
            {"@odata.type": "#microsoft.graph.fileAttachment", "name": "offer.pdf", "contentType": "application/pdf",
             "contentBytes": "JVBERi0="},
            {"@odata.type": "#microsoft.graph.fileAttachment", "name": "logo.png", "contentType": "image/png",
             "contentId": "logo1", "isInline": true, "contentBytes": "iVBORw=="},
        ],
    });
    assert_eq!(sandbox.send_json(&token, message).await.status, 202);

    let messages = sandbox.messages().await;
    let mail = &messages[0];
    assert_eq!(mail["recipients"], json!(["ada@example.net", "archive@example.net"]));
    let raw = BASE64.decode(mail["raw"].as_str().unwrap().as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(format!("<{}>", parsed.message_id().unwrap()), mail["internet_message_id"]);
    assert_eq!(parsed.subject().unwrap(), "Grüße  Bcc: evil@example.net");
    assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some(seed::MAILBOX));
    assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some("Ada \"A\" Ünal"));
    assert_eq!(parsed.bcc().unwrap().iter().count(), 1);
    assert_eq!(parsed.header_raw("x-app-message-id").map(str::trim), Some("01J"));
    assert!(parsed.body_html(0).unwrap().contains("cid:logo1"));
    let files: Vec<_> = parsed.attachments().map(|part| part.contents().to_vec()).collect();
    assert!(files.contains(&b"%PDF-".to_vec()));
}

#[tokio::test]
async fn both_spellings_of_the_actions_parameters_are_taken() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let message = json!({"toRecipients": [{"emailAddress": {"address": "ada@example.net"}}]});
    let body = json!({"Message": message, "SaveToSentItems": "false"});
    let answer = Answer::of(sandbox.request(seed::MAILBOX, &token).json(&body).send().await.unwrap()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn the_mailbox_of_the_path_is_decoded_and_its_case_does_not_matter() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    assert_eq!(sandbox.send("Sales%40ACME.example", &token).await.status, 202);
    assert_eq!(sandbox.messages().await[0]["mailbox"], seed::MAILBOX);
    assert_eq!(sandbox.send("%ff%fe", &token).await.status, 400);
}

#[tokio::test]
async fn the_token_has_the_shape_and_the_claims_of_an_app_only_token() {
    let sandbox = sandbox().await;
    let answer = sandbox.ask_token(seed::TENANT_ID, seed::CLIENT_ID, seed::SECRET).await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 3599);
    assert_eq!(answer.header("cache-control"), Some("no-store, no-cache"));
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let payload = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{}/", seed::TENANT_ID));
    assert_eq!(claims["tid"], seed::TENANT_ID);
    assert_eq!(claims["appid"], seed::CLIENT_ID);
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["roles"], json!(["Mail.Send"]));
    assert_eq!(claims["oid"], claims["sub"]);
}
