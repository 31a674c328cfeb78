//! The inbox page, and what a hostile mail can do on it: nothing.

use data_encoding::BASE64;
use postrider_sandbox::seed::{self, MAILBOX};
use serde_json::json;

use crate::harness::sandbox;

#[tokio::test]
async fn an_empty_inbox_says_so_and_an_unknown_mail_leads_back() {
    let sandbox = sandbox().await;
    let page = sandbox.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("No mail yet."));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for path in ["/messages/1", "/messages/x", "/messages/1/raw", "/messages/1/attachments/0"] {
        assert_eq!(sandbox.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_mail_is_listed_and_shown_with_all_that_it_says() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.send(MAILBOX, &token).await;
    let list = sandbox.get("/").await.text;
    assert!(list.contains("Offer 4711") && list.contains("href=\"/messages/1\""));
    let page = sandbox.get("/messages/1").await.text;
    let shown = [
        "Sales &lt;sales@acme.example&gt;",
        "ada@example.net",
        "archive@example.net",
        "Hello Ada",
        "&lt;one@",
    ];
    for expected in shown {
        assert!(page.contains(expected), "{expected}");
    }
    let raw = sandbox.get("/messages/1/raw").await;
    assert_eq!(raw.text, crate::harness::MIME);
    assert_eq!(raw.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_hostile_mail_is_harmless() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let message = json!({
        "subject": "<script>alert(1)</script>{{content}}",
        "body": {"contentType": "html", "content": "</iframe><script>alert(2)</script>\"'><img src=\"cid:logo\">"},
        "toRecipients": [{"emailAddress": {"name": "<b onload=x>", "address": "ada@example.net"}}],
        "attachments": [
            {"@odata.type": "#microsoft.graph.fileAttachment", "name": "../evil\"<b>.html", "contentType": "text/html",
             "contentBytes": BASE64.encode(b"<script>alert(3)</script>")},
            {"@odata.type": "#microsoft.graph.fileAttachment", "name": "logo.png", "contentType": "image/png",
             "contentId": "logo", "isInline": true, "contentBytes": "iVBORw=="},
        ],
    });
    assert_eq!(sandbox.send_json(&token, message).await.status, 202);
    let list = sandbox.get("/").await.text;
    let page = sandbox.get("/messages/1").await.text;
    for html in [&list, &page] {
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<b onload"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;{{content}}"));
    }
    assert_eq!(page.matches("</iframe>").count(), 1);
    assert!(page.contains("sandbox srcdoc=\"&lt;meta http-equiv=&quot;Content-Security-Policy&quot;"));
    assert!(page.contains("data:image/png;base64,iVBORw=="));

    let files = (0..2).map(|index| format!("/messages/1/attachments/{index}"));
    let mut texts = Vec::new();
    for path in files {
        let file = sandbox.client.get(format!("{}{path}", sandbox.url)).send().await.unwrap();
        assert_eq!(file.headers()["content-type"], "application/octet-stream");
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        let disposition = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(
            disposition.starts_with("attachment; filename=\"") && !disposition.contains(".."),
            "{disposition}"
        );
        texts.push(file.bytes().await.unwrap());
    }
    assert!(texts.iter().any(|bytes| bytes.as_ref() == b"<script>alert(3)</script>"));
}

#[tokio::test]
async fn the_other_pages_show_directories_scenarios_and_limits() {
    let sandbox = sandbox().await;
    let own = json!({
        "apps": [{"client_id": "<b>own</b>", "secrets": [{"id": "the-id", "value": "a-real-looking-secret"}]}],
        "mailboxes": [{"address": "own@own.example", "licensed": false}],
    });
    assert_eq!(sandbox.put_directory("own.example", own).await.status, 204);
    let page = sandbox.get("/directories").await.text;
    for shown in ["acme.example", seed::SECRET, "no admin consent", "&lt;b&gt;own&lt;/b&gt;", "the-id"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("a-real-looking-secret"), "a secret that somebody put");

    let page = sandbox.get("/scenarios").await.text;
    assert!(page.contains("None: every call is answered") && page.contains("504-but-delivered"));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "hang", "times": 2, "delivered": true})).await;
    let page = sandbox.get("/scenarios").await.text;
    assert!(page.contains("2 more") && page.contains("delivered true"));

    assert!(sandbox.get("/limits").await.text.contains("None so far."));
    let token = sandbox.token().await;
    sandbox.delete("/sandbox/scenarios").await;
    for _ in 0..31 {
        sandbox.send(MAILBOX, &token).await;
    }
    let page = sandbox.get("/limits").await.text;
    assert!(page.contains("<td>rate</td><td>once</td>") && page.contains("lenient"));
}

#[tokio::test]
async fn mail_that_bounced_or_waits_says_so() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "ndr-later", "times": 1})).await;
    sandbox.send(MAILBOX, &token).await;
    assert!(sandbox.get("/").await.text.contains("bounced"));
    assert!(sandbox.get("/messages/1").await.text.contains("550 5.1.10"));
}
