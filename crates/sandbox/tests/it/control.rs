//! The control endpoints.

use postrider_sandbox::seed::{self, CLIENT_ID, MAILBOX, SECRET, TENANT_ID};
use serde_json::json;

use crate::harness::{Answer, MIME, sandbox};

#[tokio::test]
async fn stored_mail_is_filtered_by_mailbox_and_message_id_and_deleted() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.send(MAILBOX, &token).await;
    sandbox.send(seed::SECOND_MAILBOX, &token).await;
    let other = MIME.replace("<one@", "<two@");
    Answer::of(sandbox.mime(MAILBOX, &token, &other).send().await.unwrap()).await;

    let filtered = [
        ("", 3),
        ("?mailbox=SALES@acme.example", 2),
        ("?internet_message_id=%3Cone@acme.example%3E", 2),
        ("?internet_message_id=two@acme.example", 1),
        ("?mailbox=support@acme.example&internet_message_id=%3Ctwo@acme.example%3E", 0),
    ];
    for (query, count) in filtered {
        let messages = sandbox.get(&format!("/sandbox/messages{query}")).await.json()["messages"].clone();
        assert_eq!(messages.as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(sandbox.messages().await[0]["copies"], 2);
    assert_eq!(sandbox.get("/sandbox/messages?subject=x").await.status, 400);
    assert_eq!(sandbox.delete("/sandbox/messages").await.status, 204);
    assert!(sandbox.messages().await.is_empty());
}

#[tokio::test]
async fn a_put_replaces_the_whole_directory_and_what_is_left_out_is_in_good_order() {
    let sandbox = sandbox().await;
    let directory = json!({
        "apps": [{"client_id": "new-client", "secrets": [{"value": "new-secret"}]}],
        "mailboxes": [{"address": "new@acme.example"}],
    });
    assert_eq!(sandbox.put_directory(&TENANT_ID.to_uppercase(), directory).await.status, 204);
    assert_eq!(sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await.aadsts().2, 700_016);
    let token = sandbox.ask_token(TENANT_ID, "new-client", "new-secret").await.json();
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(sandbox.send(MAILBOX, token).await.status, 404);
    assert_eq!(sandbox.send("new@acme.example", token).await.status, 202);
}

#[tokio::test]
async fn a_directory_put_under_a_domain_is_found_by_it_and_keeps_its_guid() {
    let sandbox = sandbox().await;
    let directory = json!({"apps": [{"client_id": CLIENT_ID, "secrets": [{"value": SECRET}]}]});
    let issuer = async || {
        assert_eq!(sandbox.put_directory("beta.example", directory.clone()).await.status, 204);
        assert_eq!(sandbox.ask_token("beta.example", CLIENT_ID, SECRET).await.status, 200);
        sandbox.get("/beta.example/v2.0/.well-known/openid-configuration").await.json()["issuer"].clone()
    };
    assert_eq!(issuer().await, issuer().await);
}

#[tokio::test]
async fn directories_are_listed_without_anything_that_proves_an_app() {
    let sandbox = sandbox().await;
    let listed = sandbox.get("/sandbox/directories").await;
    let acme = &listed.json()["directories"][0];
    assert_eq!((&acme["name"], &acme["tenant_id"]), (&json!(TENANT_ID), &json!(TENANT_ID)));
    assert!(acme["apps"].as_array().unwrap().contains(&json!(CLIENT_ID)));
    assert!(acme["mailboxes"].as_array().unwrap().contains(&json!(MAILBOX)));
    assert!(!listed.text.contains(SECRET));
}

#[tokio::test]
async fn what_cannot_be_read_is_400_with_a_sentence() {
    let sandbox = sandbox().await;
    let unknown = sandbox.post_scenario(json!({"mailbox": MAILBOX, "scenario": "nonsense"})).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.starts_with("There is no scenario 'nonsense'."));
    assert_eq!(sandbox.get("/sandbox/scenarios").await.json(), json!({"scenarios": []}));
    assert_eq!(sandbox.post_scenario(json!([1])).await.status, 400);
    assert_eq!(sandbox.put_directory("no-directory", json!({})).await.status, 400);
    assert_eq!(sandbox.put_directory(TENANT_ID, json!({"apps": [{}]})).await.status, 400);
    assert_eq!(sandbox.put_directory(TENANT_ID, json!({"apps": "none"})).await.status, 400);
    assert_eq!(sandbox.put_directory(TENANT_ID, json!({"mailboxes": [{}]})).await.status, 400);
    let broken = json!({"apps": [{"client_id": "a", "certificates": ["no PEM"]}]});
    let refused = sandbox.put_directory(TENANT_ID, broken).await;
    assert!(refused.text.contains("app a has a certificate that cannot be read"), "{}", refused.text);
    sandbox.token().await;
}

#[test]
fn the_document_names_every_scenario() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let document = std::fs::read_to_string(path).unwrap();
    for (name, _) in postrider_sandbox::scenarios() {
        assert!(document.contains(&format!("`{name}`")), "{name} is not in docs/sandbox.md");
    }
}
