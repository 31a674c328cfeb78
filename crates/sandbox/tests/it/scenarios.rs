//! The scripted answers.

use std::time::Duration;

use postrider_sandbox::seed::{self, CLIENT_ID, MAILBOX, SECRET, TENANT_ID};
use serde_json::{Value, json};

use crate::harness::{Running, sandbox};

async fn given(scenario: Value) -> (Running, String) {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.scenario(scenario).await;
    (sandbox, token)
}

#[tokio::test]
async fn a_scenario_holds_as_often_as_it_says_and_shows_what_is_left() {
    let scenario = json!({"mailbox": MAILBOX, "scenario": "503-stale", "times": 2});
    let (sandbox, token) = given(scenario).await;
    assert_eq!(sandbox.send(seed::SECOND_MAILBOX, &token).await.status, 202);
    assert_eq!(sandbox.send(MAILBOX, &token).await.refusal(), (503, "MailboxInfoStale".to_owned()));
    let listed = sandbox.get("/sandbox/scenarios").await.json();
    assert_eq!(listed, json!({"scenarios": [{"mailbox": MAILBOX, "scenario": "503-stale", "times": 1}]}));
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 503);
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
}

#[tokio::test]
async fn a_scenario_of_a_tenant_holds_for_all_its_mailboxes_until_it_is_deleted() {
    let (sandbox, token) = given(json!({"tenant": seed::DOMAIN, "scenario": "500-empty"})).await;
    for mailbox in [MAILBOX, seed::SECOND_MAILBOX] {
        let answer = sandbox.send(mailbox, &token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (500, ""));
    }
    assert_eq!(sandbox.delete("/sandbox/scenarios").await.status, 204);
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
}

#[tokio::test]
async fn a_throttled_call_is_429_with_the_retry_after_that_was_asked_for() {
    let (sandbox, token) = given(json!({"mailbox": "other@acme.example", "scenario": "hang"})).await;
    for (retry_after, expected) in
        [(json!(30), Some("30")), (json!(2.128), Some("2.128")), (Value::Null, None)]
    {
        let scenario = json!({"mailbox": MAILBOX, "scenario": "throttle-retry-after", "times": 1, "retry_after": retry_after});
        sandbox.scenario(scenario).await;
        let answer = sandbox.send(MAILBOX, &token).await;
        assert_eq!(answer.refusal(), (429, "TooManyRequests".to_owned()));
        assert_eq!(answer.header("retry-after"), expected);
    }
    let dated = json!({"mailbox": MAILBOX, "scenario": "throttle-retry-after", "times": 1, "retry_after": "http-date"});
    sandbox.scenario(dated).await;
    assert!(sandbox.send(MAILBOX, &token).await.header("retry-after").unwrap().ends_with("GMT"));
}

#[tokio::test]
async fn a_202_takes_the_mail_and_a_retry_after_beside_it_is_given_and_counted() {
    let accepted =
        json!({"mailbox": MAILBOX, "scenario": "answer", "status": 202, "retry_after": 30, "times": 1});
    let (sandbox, token) = given(accepted).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (202, Some("30")));
    assert_eq!(sandbox.messages().await.len(), 1);
    sandbox.send(MAILBOX, &token).await;
    assert_eq!(sandbox.breaches("retry_after").await, 1);
}

#[tokio::test]
async fn an_answer_without_a_code_has_its_retry_after_too() {
    let (sandbox, token) = given(json!({"mailbox": "other@acme.example", "scenario": "hang"})).await;
    for scenario in [
        json!({"mailbox": MAILBOX, "scenario": "answer", "status": 503, "retry_after": 30, "times": 1}),
        json!({"mailbox": MAILBOX, "scenario": "503-html", "retry_after": 30, "times": 1}),
    ] {
        sandbox.scenario(scenario).await;
        let answer = sandbox.send(MAILBOX, &token).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("30")));
    }
    assert!(sandbox.messages().await.is_empty());
}

#[tokio::test]
async fn gateways_answer_in_html_and_plain_text() {
    let (sandbox, token) = given(json!({"mailbox": MAILBOX, "scenario": "503-html", "times": 1})).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.starts_with("<!DOCTYPE HTML>"));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "413-plain", "times": 1})).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (413, "Request Entity Too Large"));
}

#[tokio::test]
async fn policies_quotas_and_concurrency_refuse_with_their_codes() {
    let (sandbox, token) = given(json!({"mailbox": MAILBOX, "scenario": "raop-denied", "times": 1})).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (403, "ErrorAccessDenied".to_owned()));
    assert!(answer.text.contains("[RAOP]"));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "mailbox-full", "times": 1})).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.refusal(), (403, "ErrorQuotaExceeded".to_owned()));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "concurrency", "times": 1})).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.refusal(), (429, "ApplicationThrottled".to_owned()));
    assert!(sandbox.messages().await.is_empty());
}

#[tokio::test]
async fn a_504_is_stored_or_not_as_its_name_says_and_a_200_was_not_taken() {
    let (sandbox, token) =
        given(json!({"mailbox": MAILBOX, "scenario": "504-not-delivered", "times": 1})).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.refusal(), (504, "UnknownError".to_owned()));
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "200-not-202", "times": 1})).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 200);
    assert!(sandbox.messages().await.is_empty());
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "504-but-delivered", "times": 1})).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 504);
    assert_eq!(sandbox.messages().await.len(), 1);
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
    assert_eq!(sandbox.messages().await[0]["copies"], 2);
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_an_answer() {
    let scenario = json!({"mailbox": MAILBOX, "scenario": "reset-after-body", "times": 1});
    let (sandbox, token) = given(scenario).await;
    let error = sandbox.mime(MAILBOX, &token, crate::harness::MIME).send().await.unwrap_err();
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    assert!(sandbox.messages().await.is_empty());
    let delivered =
        json!({"mailbox": MAILBOX, "scenario": "reset-after-body", "times": 1, "delivered": true});
    sandbox.scenario(delivered).await;
    sandbox.mime(MAILBOX, &token, crate::harness::MIME).send().await.unwrap_err();
    assert_eq!(sandbox.messages().await.len(), 1);
}

#[tokio::test]
async fn a_token_without_roles_and_a_right_that_lies_in_exchange() {
    let scenario = json!({"tenant": TENANT_ID, "scenario": "token-without-roles", "times": 1});
    let (sandbox, with_roles) = given(scenario).await;
    let without = sandbox.token().await;
    assert_eq!(sandbox.send(MAILBOX, &without).await.refusal().1, "NoPermissionsInAccessToken");
    assert_eq!(sandbox.send(MAILBOX, &with_roles).await.status, 202);
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "rbac-only"})).await;
    let scoped = sandbox.token().await;
    assert_eq!(sandbox.send(MAILBOX, &scoped).await.status, 202);
    assert_eq!(sandbox.send(seed::SECOND_MAILBOX, &scoped).await.refusal().1, "NoPermissionsInAccessToken");
}

#[tokio::test]
async fn a_secret_ends_when_the_scenario_says_so() {
    let later =
        json!({"tenant": TENANT_ID, "scenario": "secret-expires-at", "expire_time": "2999-01-01T00:00:00Z"});
    let (sandbox, _) = given(later).await;
    sandbox.token().await;
    let past =
        json!({"tenant": TENANT_ID, "scenario": "secret-expires-at", "expire_time": "2020-01-01T00:00:00Z"});
    sandbox.scenario(past).await;
    assert_eq!(sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await.aadsts().2, 7_000_222);
}

#[tokio::test]
async fn the_token_endpoint_throttles_in_plain_text_and_can_be_out() {
    let (sandbox, _) =
        given(json!({"tenant": TENANT_ID, "scenario": "429-plain-text-token", "times": 1})).await;
    let answer = sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (429, "Too Many Requests"));
    assert_eq!(answer.header("retry-after"), Some("60"));
    sandbox.scenario(json!({"tenant": TENANT_ID, "scenario": "503-html", "call": "token", "times": 1})).await;
    assert_eq!(sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await.status, 503);
    sandbox.token().await;
}

#[tokio::test]
async fn an_opaque_token_sends_as_well_as_one_that_can_be_read() {
    let (sandbox, _) = given(json!({"tenant": TENANT_ID, "scenario": "opaque-token"})).await;
    let token = sandbox.token().await;
    assert!(!token.contains('.'));
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
}

#[tokio::test]
async fn a_call_that_hangs_is_never_answered_but_ends_with_the_sandbox() {
    let (sandbox, token) = given(json!({"mailbox": MAILBOX, "scenario": "hang"})).await;
    let impatient = sandbox.mime(MAILBOX, &token, crate::harness::MIME).timeout(Duration::from_millis(100));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert!(sandbox.messages().await.is_empty());
    let patient = tokio::spawn(sandbox.mime(MAILBOX, &token, crate::harness::MIME).send());
    drop(sandbox);
    assert!(patient.await.unwrap().is_err());
}

#[tokio::test]
async fn any_answer_can_be_asked_for_of_graph_and_of_entra() {
    let asked = json!({
        "mailbox": MAILBOX, "scenario": "answer", "status": 403, "code": "ErrorAccountSuspend",
        "message": "Account suspended.", "retry_after": 7, "times": 1,
    });
    let (sandbox, token) = given(asked).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (403, "ErrorAccountSuspend".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("7"));
    let plain = json!({
        "mailbox": MAILBOX, "scenario": "answer", "status": 502, "message": "Bad Gateway", "times": 1,
    });
    sandbox.scenario(plain).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (502, "Bad Gateway"));
    let entra = json!({
        "tenant": TENANT_ID, "scenario": "answer", "call": "token", "status": 400, "aadsts": 90_033,
        "error": "temporarily_unavailable", "times": 1,
    });
    sandbox.scenario(entra).await;
    let answer = sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await;
    assert_eq!(answer.aadsts(), (400, "temporarily_unavailable".to_owned(), 90_033));
    let no_number = json!({
        "tenant": TENANT_ID, "scenario": "answer", "call": "token", "status": 400, "error": "invalid_client",
        "message": "No number at all.", "times": 1,
    });
    sandbox.scenario(no_number).await;
    let answer = sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await;
    let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(body, json!({"error": "invalid_client", "error_description": "No number at all."}));
}

#[tokio::test]
async fn a_skewed_clock_shows_in_entras_answers_and_not_in_graphs() {
    let (sandbox, token) =
        given(json!({"tenant": TENANT_ID, "scenario": "clock-skew", "seconds": 7_200})).await;
    let date = |answer: &crate::harness::Answer| {
        let text = answer.header("date").unwrap().to_owned();
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).unwrap().as_second()
    };
    let entra = date(&sandbox.ask_token(TENANT_ID, CLIENT_ID, SECRET).await);
    let graph = date(&sandbox.send(MAILBOX, &token).await);
    assert!((7_195..=7_205).contains(&(entra - graph)), "{}", entra - graph);
}

#[tokio::test]
async fn a_draft_that_was_sent_without_an_answer_is_gone_all_the_same() {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(seed::READ_WRITE_CLIENT_ID).await;
    let id = sandbox.draft(&token).await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "hang", "delivered": true, "times": 1})).await;
    let url = format!("{}/v1.0/users/{MAILBOX}/messages/{id}/send", sandbox.url);
    let call = sandbox.client.post(url).bearer_auth(&token).timeout(Duration::from_millis(300));
    assert!(call.send().await.unwrap_err().is_timeout());
    assert_eq!(sandbox.messages().await.len(), 1);
    assert_eq!(sandbox.graph("GET", &token, &format!("/messages/{id}"), None).await.status, 404);
}
