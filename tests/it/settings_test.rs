//! A test of settings: safe to repeat, fair to the mailbox, and told in findings whatever is typed.

use postrider_proto::v1::{MessageState, Settings, TestSettingsRequest};
use postrider_sandbox::seed;
use postrider_testkit::{Refusal, acme_settings, mail, secret};
use serde_json::json;
use tonic::Code;

use crate::support::ready;

/// A repeat after a lost answer is no second mail.
#[tokio::test]
async fn a_test_is_safe_to_repeat_under_its_request_id() {
    let service = ready().await;
    let test = |recipient: &str| TestSettingsRequest {
        reseller: "acme".into(),
        request_id: "test-1".into(),
        recipient: recipient.into(),
        ..Default::default()
    };
    let mut client = service.admin().settings();
    let mut tries = async |request| client.test_settings(request).await;
    let first = tries(test("")).await.unwrap().into_inner();
    let again = tries(test("")).await.unwrap().into_inner();
    assert!(first.passed && again.passed);
    assert_eq!(first.message_id, again.message_id);
    assert_eq!(service.microsoft().received().await.len(), 1);
    let other = Refusal::of(&tries(test("ann@customer.example")).await.unwrap_err());
    assert_eq!(other.kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_candidates_malformed_secret_is_a_finding_beside_the_others() {
    let service = ready().await;
    for pasted in ["", "with\na line break"] {
        let candidate =
            Settings { tenant_id: "common".into(), credential: Some(secret(pasted)), ..acme_settings() };
        let tested = service.admin().tests("acme", Some(candidate)).await;
        let codes: Vec<_> = tested.steps[0].findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, ["TENANT_NOT_FOUND", "SECRET_WRONG"], "{pasted:?}");
    }
}

/// What Microsoft asked of a mailbox binds a test of it, and what a test was told binds its lane.
#[tokio::test]
async fn a_test_and_its_lane_wait_as_either_was_asked() {
    let service = ready().await;
    service
        .microsoft()
        .plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 3, "times": 1}))
        .await;
    let throttled = service.admin().tests("acme", None).await;
    assert!(!throttled.passed);
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
    service
        .microsoft()
        .plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 3, "times": 1}))
        .await;
    let deferred = service.admin().sends(mail("acme")).await;
    service.admin().reaches(&deferred, MessageState::Deferred).await;
    assert!(service.admin().tests("acme", None).await.passed);
    assert_eq!(service.microsoft().breaches().await, []);
}
