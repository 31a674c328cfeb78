//! Microsoft's limits, observed.

use futures::future::join_all;
use postrider_sandbox::seed::{self, MAILBOX};
use serde_json::json;

use crate::harness::sandbox;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fifth_request_at_once_for_a_mailbox_is_refused_and_counted() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.scenario(json!({"mailbox": MAILBOX, "scenario": "slow", "milliseconds": 700})).await;
    let answers = join_all((0..6).map(|_| sandbox.send(MAILBOX, &token))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].refusal(), (429, "ApplicationThrottled".to_owned()));
    assert!(refused[0].text.contains("Application is over its MailboxConcurrency limit."));
    assert_eq!(sandbox.breaches("concurrency").await, 2);
    assert_eq!(sandbox.messages().await.len(), 4);
}

#[tokio::test]
async fn four_at_once_and_four_more_for_another_mailbox_are_within_the_limits() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    sandbox.scenario(json!({"tenant": seed::TENANT_ID, "scenario": "slow", "milliseconds": 50})).await;
    let mailboxes = [MAILBOX, seed::SECOND_MAILBOX].repeat(4);
    let answers = join_all(mailboxes.iter().map(|mailbox| sandbox.send(mailbox, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(sandbox.get("/sandbox/limits").await.json(), json!({"breaches": []}));
}

#[tokio::test]
async fn more_than_thirty_mails_a_minute_are_accepted_but_counted() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    for _ in 0..32 {
        assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
    }
    let breaches = sandbox.get("/sandbox/limits").await.json();
    assert_eq!(breaches, json!({"breaches": [{"mailbox": MAILBOX, "limit": "rate", "count": 2}]}));
}

#[tokio::test]
async fn a_request_before_its_retry_after_has_passed_is_counted() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let scenario =
        json!({"mailbox": MAILBOX, "scenario": "throttle-retry-after", "retry_after": 600, "times": 1});
    sandbox.scenario(scenario).await;
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 429);
    assert_eq!(sandbox.breaches("retry_after").await, 0);
    assert_eq!(sandbox.send(seed::SECOND_MAILBOX, &token).await.status, 202);
    assert_eq!(sandbox.breaches("retry_after").await, 0);
    assert_eq!(sandbox.send(MAILBOX, &token).await.status, 202);
    assert_eq!(sandbox.breaches("retry_after").await, 1);
}
