//! Rate limits: whoever calls too often is told when to come again, and nobody else is held up.

use std::time::{Duration, Instant};

use postrider_proto::v1::{ListSettingsRequest, Scope};
use postrider_testkit::{Refusal, mail, reason};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::given;

#[tokio::test]
async fn a_caller_in_a_loop_is_told_when_to_come_again_and_others_go_on() {
    let service = given().service().with("limits.calls_per_second_per_caller", "20").starts().await;
    let (_, loops) = service.admin().with_key(&[Scope::Read], &[]).await;
    let refused = loop {
        if let Err(status) = loops.settings().list_settings(ListSettingsRequest::default()).await {
            break status;
        }
    };
    let told = Instant::now();
    assert_eq!(Refusal::of(&refused).kind(), (Code::ResourceExhausted, "RATE_LIMITED"));
    let details = refused.get_error_details();
    let after = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(!after.is_zero() && after.as_secs() < 2, "{after:?}");
    assert!(details.quota_failure().unwrap().violations[0].subject.starts_with("callers/"));
    service.admin().sends(mail("acme")).await;
    let mut came = Duration::ZERO;
    while loops.settings().list_settings(ListSettingsRequest::default()).await.is_err() {
        assert!(came < after, "refused after {came:?}, although told to come again after {after:?}");
        came = told.elapsed();
    }
}

#[tokio::test]
async fn a_reseller_in_a_loop_is_limited_whoever_calls_and_other_resellers_go_on() {
    let service = given().service().with("limits.calls_per_second_per_reseller", "20").starts().await;
    let (_, acme) = service.admin().with_key(&[Scope::Read], &["acme"]).await;
    let (_, globex) = service.admin().with_key(&[Scope::Read], &["globex"]).await;
    let list = |reseller: &str| postrider_proto::v1::ListMessagesRequest {
        reseller: reseller.to_owned(),
        ..postrider_proto::v1::ListMessagesRequest::default()
    };
    let refused = loop {
        if let Err(status) = acme.mail().list_messages(list("acme")).await {
            break status;
        }
    };
    assert_eq!(reason(&refused), "RATE_LIMITED");
    let details = refused.get_error_details();
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "resellers/acme");
    globex.mail().list_messages(list("globex")).await.expect("another reseller");
}

#[tokio::test]
async fn strangers_from_one_address_are_limited_and_known_callers_go_on() {
    let service = given().service().with("limits.sign_ins_per_minute_per_address", "30").starts().await;
    service.admin().sends(mail("acme")).await;
    let stranger = service.client("pr_nobody");
    let mut reasons = Vec::new();
    for _ in 0..40 {
        let refused = stranger.settings().list_settings(ListSettingsRequest::default()).await.unwrap_err();
        reasons.push(reason(&refused));
    }
    assert_eq!(reasons[0], "UNAUTHENTICATED");
    assert_eq!(reasons[39], "RATE_LIMITED");
    service.admin().sends(mail("acme")).await;
}
