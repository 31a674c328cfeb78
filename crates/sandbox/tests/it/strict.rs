//! Strict mode: what Microsoft refuses, and this sandbox otherwise only counts.

use postrider_sandbox::{Options, seed};
use serde_json::json;

use crate::harness::{Answer, Running, sandbox, sandbox_with};

async fn strict() -> Running {
    sandbox_with(Options { strict: true, ..Options::default() }).await
}

#[tokio::test]
async fn whoever_does_not_wait_as_asked_is_asked_again() {
    let sandbox = strict().await;
    let token = sandbox.token().await;
    let throttle = json!({
        "mailbox": seed::MAILBOX, "scenario": "throttle-retry-after", "retry_after": 600, "times": 1,
    });
    sandbox.scenario(throttle).await;
    assert_eq!(sandbox.send(seed::MAILBOX, &token).await.status, 429);
    let early = sandbox.send(seed::MAILBOX, &token).await;
    assert_eq!(early.refusal(), (429, "ApplicationThrottled".to_owned()));
    let left: f64 = early.header("retry-after").unwrap().parse().unwrap();
    assert!((590.0..=600.0).contains(&left), "{left}");
    assert_eq!(sandbox.breaches("retry_after").await, 1);
    assert!(sandbox.messages().await.is_empty());
}

#[tokio::test]
async fn an_access_token_on_an_upload_url_is_refused() {
    for is_strict in [true, false] {
        let sandbox = sandbox_with(Options { strict: is_strict, ..Options::default() }).await;
        let token = sandbox.token_of(seed::READ_WRITE_CLIENT_ID).await;
        let id = sandbox.draft(&token).await;
        let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "a", "size": 3_000_000}});
        let path = format!("/messages/{id}/attachments/createUploadSession");
        let session = sandbox.graph("POST", &token, &path, Some(item)).await.json();
        let put = sandbox.client.put(session["uploadUrl"].as_str().unwrap()).bearer_auth(&token);
        let put = put.header("content-range", "bytes 0-3/3000000").body("abcd");
        let answer = Answer::of(put.send().await.unwrap()).await;
        assert_eq!(answer.status, if is_strict { 401 } else { 200 });
    }
}

#[tokio::test]
async fn only_graphs_own_scope_is_known() {
    let own = |sandbox: &Running| format!("{}/.default", sandbox.url);
    let form = |scope: String| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", seed::CLIENT_ID),
            ("client_secret", seed::SECRET),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into_iter()
        .chain([("scope", scope)])
        .collect::<Vec<_>>()
    };
    for (sandbox, expected) in [(sandbox().await, 200), (strict().await, 400)] {
        let url = format!("{}/{}/oauth2/v2.0/token", sandbox.url, seed::TENANT_ID);
        let answer = sandbox.client.post(url).form(&form(own(&sandbox))).send().await.unwrap();
        assert_eq!(answer.status(), expected);
    }
}

#[tokio::test]
async fn strictness_is_switched_while_it_runs() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.get("/sandbox/mode").await.json(), json!({"strict": false}));
    let url = format!("{}/sandbox/mode", sandbox.url);
    let put = sandbox.client.put(&url).json(&json!({"strict": true})).send().await.unwrap();
    assert_eq!(put.status(), 204);
    assert_eq!(sandbox.get("/sandbox/mode").await.json(), json!({"strict": true}));
    let wrong = sandbox.client.put(&url).json(&json!({"strict": "yes"})).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
}
