//! A test of settings: safe to repeat, fair to the mailbox, and told in findings whatever is typed.

use std::time::Duration;

use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{
    ClientSecret, FindingClass, MessageState, Settings, TestSettingsRequest, TestSettingsResponse,
    TestStatus, TestStep, TestStepResult,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Refusal, acme_settings, from_now, mail, secret};
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

fn step(tested: &TestSettingsResponse, name: TestStep) -> &TestStepResult {
    tested.steps.iter().find(|step| step.name() == name).unwrap()
}

fn codes(step: &TestStepResult) -> Vec<&str> {
    step.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[tokio::test]
async fn every_step_says_what_it_did_and_how_long_it_took() {
    let service = ready().await;
    let tested = service.admin().tests("acme", None).await;
    for step in &tested.steps {
        assert!(!step.detail.is_empty(), "{tested:#?}");
        assert!(step.duration.is_some(), "{tested:#?}");
    }
    let wrong = Mistake::WrongClient.settings();
    let tested = service.admin().tests("acme", Some(wrong)).await;
    for skipped in [TestStep::Permission, TestStep::Send] {
        let skipped = step(&tested, skipped);
        assert_eq!(skipped.status(), TestStatus::Skipped);
        assert!(skipped.detail.contains("CREDENTIAL"), "why it was skipped: {skipped:#?}");
    }
}

#[tokio::test]
async fn what_was_pasted_with_blanks_or_quotes_is_told_all_at_once() {
    let service = ready().await;
    let candidate = Settings {
        tenant_id: format!(" {} ", seed::TENANT_ID),
        client_id: format!("\"{}\"", seed::CLIENT_ID),
        sender_mailbox: "no address".into(),
        credential: Some(secret(seed::SECRET_ID)),
        ..acme_settings()
    };
    let tested = service.admin().tests("acme", Some(candidate)).await;
    let shape = step(&tested, TestStep::Shape);
    assert_eq!(
        codes(shape),
        ["TENANT_NOT_FOUND", "CLIENT_NOT_FOUND", "MAILBOX_NOT_FOUND", "SECRET_IS_ID"],
        "{shape:#?}"
    );
    let told = format!("{shape:?}");
    assert!(told.contains("blank") && told.contains("quote"), "{told}");
    assert!(tested.steps[1..].iter().all(|step| step.status() == TestStatus::Skipped));
}

/// No credential is needed to ask for a directory.
#[tokio::test]
async fn a_value_that_cannot_be_right_and_a_directory_that_is_not_there_are_told_together() {
    let service = ready().await;
    let candidate = |tenant_id: &str| Settings {
        tenant_id: tenant_id.into(),
        credential: Some(secret(seed::SECRET_ID)),
        ..acme_settings()
    };
    let unknown = "5a4d0b0c-0000-4000-8000-00000000dead";
    for saved in [false, true] {
        let tested = if saved {
            service.admin().puts(candidate(unknown)).await;
            service.admin().tests("acme", None).await
        } else {
            service.admin().tests("acme", Some(candidate(unknown))).await
        };
        assert_eq!(codes(step(&tested, TestStep::Shape)), ["SECRET_IS_ID"], "{tested:#?}");
        assert_eq!(codes(step(&tested, TestStep::Directory)), ["TENANT_NOT_FOUND"], "{tested:#?}");
        for skipped in [TestStep::Credential, TestStep::Permission, TestStep::Send] {
            let skipped = step(&tested, skipped);
            assert_eq!(skipped.status(), TestStatus::Skipped);
            assert!(skipped.detail.contains("SHAPE and DIRECTORY failed"), "{skipped:#?}");
        }
    }
    let tested = service.admin().tests("acme", Some(candidate(seed::TENANT_ID))).await;
    for skipped in [TestStep::Directory, TestStep::Credential] {
        let skipped = step(&tested, skipped);
        assert_eq!(skipped.status(), TestStatus::Skipped, "{skipped:#?}");
        assert!(skipped.detail.contains("SHAPE failed"), "{skipped:#?}");
    }
}

/// What its metadata say of its cloud is not documented to be right: that is told, and the mail shows what is true.
#[tokio::test]
async fn a_directory_that_names_another_cloud_is_a_warning_and_no_end() {
    let service = ready().await;
    let directory = json!({
        "graph_host": "graph.microsoft.us",
        "apps": [{"client_id": seed::CLIENT_ID, "secrets": [{"value": seed::SECRET}]}],
        "mailboxes": [{"address": seed::MAILBOX}],
    });
    service.microsoft().knows_directory(seed::TENANT_ID, &directory).await;
    for candidate in [Some(acme_settings()), None] {
        let tested = service.admin().tests("acme", candidate).await;
        assert!(tested.passed, "{tested:#?}");
        let directory = step(&tested, TestStep::Directory);
        assert_eq!((directory.status(), codes(directory)), (TestStatus::Warned, vec!["TENANT_NOT_FOUND"]));
        assert_eq!(directory.findings[0].class(), FindingClass::Advice);
        let reason = &directory.findings[0].evidence["reason"];
        assert!(reason.contains("us_gov_high") && reason.contains("not document"), "{reason}");
    }
}

#[tokio::test]
async fn a_right_to_every_mailbox_is_a_warning_and_one_that_exchange_grants_is_none() {
    let service = ready().await;
    let tested = service.admin().tests("acme", None).await;
    let permission = step(&tested, TestStep::Permission);
    assert!(tested.passed);
    assert_eq!(permission.status(), TestStatus::Warned);
    assert_eq!(codes(permission), ["ACCESS_TOO_BROAD"]);
    for scenario in ["rbac-only", "opaque-token"] {
        service.microsoft().plays(scenario, seed::MAILBOX, json!({})).await;
        let tested = service.admin().tests("acme", None).await;
        assert!(tested.passed, "{scenario}: {tested:#?}");
        assert!(!codes(step(&tested, TestStep::Permission)).contains(&"ACCESS_TOO_BROAD"), "{tested:#?}");
        service.microsoft().forgets_scenarios().await;
    }
}

#[tokio::test]
async fn a_secret_that_ends_soon_is_told_while_it_still_works() {
    let service = ready().await;
    let soon = from_now(Duration::from_hours(5 * 24));
    let candidate = Settings {
        credential: Some(Credential::ClientSecret(ClientSecret {
            value: seed::SECRET.into(),
            expire_time: Some(soon),
        })),
        ..acme_settings()
    };
    let tested = service.admin().tests("acme", Some(candidate.clone())).await;
    assert!(tested.passed, "{tested:#?}");
    let told = |tested: &TestSettingsResponse| {
        tested.steps.iter().any(|step| codes(step).contains(&"SECRET_EXPIRES_SOON"))
    };
    assert!(told(&tested), "{tested:#?}");
    service.admin().puts(candidate).await;
    assert!(told(&service.admin().tests("acme", None).await), "saved settings go the same way");
}

#[tokio::test]
async fn the_test_mail_can_be_looked_for_by_its_message_id_wherever_it_went() {
    let service = ready().await;
    let request = TestSettingsRequest {
        reseller: "acme".into(),
        recipient: "ann@customer.example".into(),
        ..Default::default()
    };
    let tested = service.admin().settings().test_settings(request).await.unwrap().into_inner();
    assert!(tested.passed, "{tested:#?}");
    let sent = step(&tested, TestStep::Send);
    assert_eq!(codes(sent), ["SENT_CHECK_JUNK"]);
    let id = &sent.findings[0].evidence["internet_message_id"];
    let received = service.microsoft().received().await;
    assert_eq!((received[0].internet_message_id.as_str(), received.len()), (id.as_str(), 1));
    assert_eq!(received[0].recipients, ["ann@customer.example"]);
}
