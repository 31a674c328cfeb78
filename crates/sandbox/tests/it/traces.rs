//! Message traces.

use postrider_sandbox::seed::{CLIENT_ID, MAILBOX, SECRET, TENANT_ID};
use serde_json::{Value, json};

use crate::harness::{Answer, Running, sandbox};

async fn tracing(delivery_milliseconds: u64) -> (Running, String) {
    let sandbox = sandbox().await;
    let directory = json!({
        "apps": [{
            "client_id": CLIENT_ID,
            "secrets": [{"value": SECRET}],
            "roles": ["Mail.Send", "ExchangeMessageTrace.Read.All"],
        }],
        "mailboxes": [{"address": MAILBOX}],
        "delivery_milliseconds": delivery_milliseconds,
    });
    assert_eq!(sandbox.put_directory(TENANT_ID, directory).await.status, 204);
    let token = sandbox.token().await;
    (sandbox, token)
}

async fn ask(sandbox: &Running, token: &str, query: &str) -> Answer {
    let url = format!("{}/v1.0/admin/exchange/tracing/messageTraces{query}", sandbox.url);
    Answer::of(sandbox.client.get(url).bearer_auth(token).send().await.unwrap()).await
}

async fn rows(sandbox: &Running, token: &str, query: &str) -> Vec<Value> {
    let answer = ask(sandbox, token, query).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["value"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_recipient_has_a_row_that_goes_from_pending_to_its_end() {
    let (sandbox, token) = tracing(300).await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "ndr-later", "times": 1})).await;
    sandbox.send(MAILBOX, &token).await;
    sandbox.send(MAILBOX, &token).await;
    let before = rows(&sandbox, &token, "").await;
    assert_eq!(before.len(), 6);
    assert!(before.iter().all(|row| row["status"] == "pending"), "{before:?}");
    assert_eq!(before[0]["messageId"], "<one@acme.example>");
    tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    let by = async |status: &str| {
        rows(&sandbox, &token, &format!("?$filter=status%20eq%20'{status}'")).await.len()
    };
    assert_eq!((by("pending").await, by("delivered").await, by("failed").await), (0, 3, 3));
}

#[tokio::test]
async fn rows_are_filtered_paged_and_explained() {
    let (sandbox, token) = tracing(0).await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "ndr-later"})).await;
    sandbox.send(MAILBOX, &token).await;
    let filter = "?$filter=recipientAddress%20eq%20'ada@example.net'%20and%20receivedDateTime%20ge%202020-01-01T00:00:00Z";
    let found = rows(&sandbox, &token, filter).await;
    assert_eq!(found.len(), 1);
    let first = ask(&sandbox, &token, "?$top=2").await.json();
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = first["@odata.nextLink"].as_str().unwrap();
    let rest = Answer::of(sandbox.client.get(next).bearer_auth(&token).send().await.unwrap()).await;
    assert_eq!(rest.json()["value"].as_array().unwrap().len(), 1);
    let id = found[0]["id"].as_str().unwrap();
    let details =
        ask(&sandbox, &token, &format!("/{id}/getDetailsByRecipient(recipientAddress='ada@example.net')"))
            .await;
    let events = details.json()["value"].clone();
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&json!("Submit"), &json!("Fail")));
    let unknown = ask(&sandbox, &token, "?$filter=size%20gt%201").await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn traces_need_their_own_permission_and_are_held_to_a_hundred_requests() {
    let plain = sandbox().await;
    let token = plain.token().await;
    assert_eq!(ask(&plain, &token, "").await.refusal(), (403, "Authorization_RequestDenied".to_owned()));
    let (sandbox, token) = tracing(0).await;
    for _ in 0..100 {
        assert_eq!(ask(&sandbox, &token, "").await.status, 200);
    }
    let over = ask(&sandbox, &token, "").await;
    assert_eq!(over.status, 429);
    assert!(over.header("retry-after").unwrap().parse::<u32>().unwrap() > 290);
}
