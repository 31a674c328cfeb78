//! The seven mistakes of an administrator: each is named with its mend, by a test and by a mail, and holds the mail
//! until it is mended.

use postrider_proto::v1::{
    Finding, Message, MessageState, SettingsState, TestSettingsResponse, TestStatus, TestStep,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Service, acme_settings, mail};
use serde_json::json;

use crate::support::{code, ready, status_code};

const LADDER: [TestStep; 5] =
    [TestStep::Shape, TestStep::Directory, TestStep::Credential, TestStep::Permission, TestStep::Send];

/// Code, title, explanation, mend and evidence are all there.
fn assert_tells(finding: &Finding, mistake: Mistake) {
    assert_eq!(finding.code, mistake.code(), "{finding:#?}");
    for (name, text) in
        [("title", &finding.title), ("explanation", &finding.explanation), ("mend", &finding.mend)]
    {
        assert!(!text.trim().is_empty(), "the finding has a {name}: {finding:#?}");
    }
    assert!(!finding.evidence.is_empty(), "the finding has evidence: {finding:#?}");
    let all = format!("{finding:?}");
    assert!(
        !all.contains(seed::SECRET) && !all.contains(seed::EXPIRED_SECRET),
        "no secret in it: {finding:#?}"
    );
}

/// Always five steps in order; one failed; before it none, after it all skipped.
fn assert_fails_at(tested: &TestSettingsResponse, mistake: Mistake) {
    assert!(!tested.passed, "{tested:#?}");
    let steps: Vec<_> = tested.steps.iter().map(postrider_proto::v1::TestStepResult::name).collect();
    assert_eq!(steps, LADDER);
    let failed = tested.steps.iter().position(|step| step.status() == TestStatus::Failed);
    let failed = failed.unwrap_or_else(|| panic!("no step failed: {tested:#?}"));
    assert!(mistake.steps().contains(&tested.steps[failed].name()), "{tested:#?}");
    let is_climbed = |status| matches!(status, TestStatus::Passed | TestStatus::Warned);
    assert!(tested.steps[..failed].iter().all(|step| is_climbed(step.status())), "{tested:#?}");
    assert!(
        tested.steps[failed + 1..].iter().all(|step| step.status() == TestStatus::Skipped),
        "{tested:#?}"
    );
    let found = tested.steps[failed].findings.iter().find(|finding| finding.code == mistake.code());
    assert_tells(found.unwrap_or_else(|| panic!("{} is not named: {tested:#?}", mistake.code())), mistake);
}

/// A candidate is tried and nothing of it is saved.
async fn is_named_by_a_test_of_a_candidate(service: &Service, mistake: Mistake) {
    let before = service.admin().saved_settings("acme").await;
    let tested = service.admin().tests("acme", Some(mistake.settings())).await;
    assert_fails_at(&tested, mistake);
    let after = service.admin().saved_settings("acme").await;
    assert_eq!(
        (after.etag, after.credential_info),
        (before.etag, before.credential_info),
        "nothing is saved"
    );
}

/// The saved settings are told by a test and by a mail, which waits.
async fn holds_the_mail(service: &Service, mistake: Mistake) -> Message {
    service.admin().puts(mistake.settings()).await;
    let held = service.admin().sends(mail("acme").about("held").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held, "{held:#?}");
    assert_tells(held.finding.as_ref().unwrap(), mistake);
    assert_fails_at(&service.admin().tests("acme", None).await, mistake);
    let status = service.admin().saved_settings("acme").await.status;
    assert_eq!(status_code(status.as_ref()), mistake.code());
    assert_eq!(status.unwrap().state(), SettingsState::Paused);
    assert!(service.microsoft().received_about("held").await.is_empty());
    held
}

async fn is_named_holds_and_is_mended(mistake: Mistake) {
    let service = ready().await;
    is_named_by_a_test_of_a_candidate(&service, mistake).await;
    let held = holds_the_mail(&service, mistake).await;
    let behind = service.admin().sends(mail("acme").about("behind")).await;

    service.admin().puts(acme_settings()).await;

    for message in [&held, &behind] {
        let sent = service.admin().reaches(message, MessageState::Sent).await;
        assert_eq!(code(sent.finding.as_ref()), "", "what was mended is not told any more");
        assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
    }
    assert_eq!(service.admin().saved_settings("acme").await.status.unwrap().state(), SettingsState::Ready);
}

#[tokio::test]
async fn a_wrong_directory_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::WrongDirectory).await;
}

#[tokio::test]
async fn a_wrong_client_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::WrongClient).await;
}

#[tokio::test]
async fn a_secrets_id_for_its_value_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::SecretsId).await;
}

#[tokio::test]
async fn an_expired_secret_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::ExpiredSecret).await;
}

#[tokio::test]
async fn a_missing_right_to_send_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::MailSendMissing).await;
}

#[tokio::test]
async fn a_missing_consent_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::ConsentMissing).await;
}

#[tokio::test]
async fn a_missing_mailbox_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::MailboxMissing).await;
}

#[tokio::test]
async fn a_mailbox_without_a_licence_is_named_and_mended() {
    is_named_holds_and_is_mended(Mistake::MailboxUnlicensed).await;
}

#[tokio::test]
async fn a_mend_at_microsofts_side_and_a_passed_test_wake_the_lane() {
    let service = ready().await;
    let held = holds_the_mail(&service, Mistake::MailSendMissing).await;
    let mended = json!({
        "apps": [{
            "client_id": seed::NO_MAIL_SEND_CLIENT_ID,
            "secrets": [{"id": seed::SECRET_ID, "value": seed::SECRET}],
            "roles": ["Mail.Send"],
        }],
        "mailboxes": [{"address": seed::MAILBOX}],
    });
    service.microsoft().knows_directory(seed::TENANT_ID, &mended).await;

    let tested = service.admin().tests("acme", None).await;

    assert!(tested.passed, "{tested:#?}");
    let sent = service.admin().reaches(&held, MessageState::Sent).await;
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
    assert_eq!(service.admin().saved_settings("acme").await.status.unwrap().state(), SettingsState::Ready);
}

#[tokio::test]
async fn a_test_that_passes_sends_a_real_mail_and_tells_its_id() {
    let service = ready().await;

    let tested = service.admin().tests("acme", None).await;

    assert!(tested.passed, "{tested:#?}");
    let steps: Vec<_> = tested.steps.iter().map(postrider_proto::v1::TestStepResult::name).collect();
    assert_eq!(steps, LADDER);
    let message = service.admin().message("acme", &tested.message_id).await;
    assert_eq!(message.state(), MessageState::Sent);
    assert_eq!(message.attempts.len(), 1, "a test mail has a history like any other");
    assert_eq!(service.microsoft().copies(&message.internet_message_id).await, 1);
    assert_eq!(service.microsoft().received().await[0].recipients, [seed::MAILBOX]);
}

#[tokio::test]
async fn malformed_values_of_a_candidate_are_findings_of_shape_and_no_error() {
    let service = ready().await;
    let mut candidate = acme_settings();
    candidate.tenant_id = "not a directory".to_owned();
    candidate.client_id = "neither".to_owned();
    candidate.sender_mailbox = "nor an address".to_owned();

    let tested = service.admin().tests("acme", Some(candidate)).await;

    assert_eq!(tested.steps.len(), 5);
    assert_eq!(tested.steps[0].status(), TestStatus::Failed, "{tested:#?}");
    let mut codes: Vec<_> = tested.steps[0].findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["CLIENT_NOT_FOUND", "MAILBOX_NOT_FOUND", "TENANT_NOT_FOUND"]);
    assert!(tested.steps[1..].iter().all(|step| step.status() == TestStatus::Skipped));
    assert_eq!(tested.message_id, "");
}

/// The next try is the probe's, a minute later: mail that comes meanwhile finds the lane held and is not tried.
#[tokio::test]
async fn a_held_lane_tries_nothing_until_its_probe() {
    let service = ready().await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    for number in 0..8 {
        let held = service.admin().sends(mail("acme").about(&format!("{number}")).waiting_for_sent()).await;
        assert_eq!(held.state(), MessageState::Held, "{held:#?}");
    }
    let messages = service.admin().messages("acme").await;
    assert!(messages.iter().all(|message| message.state() == MessageState::Held), "{messages:#?}");
    assert_eq!(messages.iter().map(|message| message.attempts.len()).sum::<usize>(), 1, "{messages:#?}");
}

/// A queue behind the first refusal is not tried one by one: each would be a spent attempt and a call for nothing.
#[tokio::test]
async fn a_queue_in_a_lane_with_broken_settings_burns_no_attempts() {
    let service = ready().await;
    let at_once = postrider_testkit::from_now(std::time::Duration::from_secs(2));
    for number in 0..20 {
        service.admin().sends(mail("acme").about(&format!("{number}")).at(at_once)).await;
    }
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    let held = service.admin().sends(mail("acme").at(at_once)).await;

    service.admin().reaches(&held, MessageState::Held).await;

    let messages = service.admin().messages("acme").await;
    assert_eq!(messages.len(), 21);
    let attempts: usize = messages.iter().map(|message| message.attempts.len()).sum();
    assert!(attempts <= 4, "no more than were on their way when the first was refused, and not {attempts}");
}

#[tokio::test]
async fn one_resellers_mistake_holds_nobody_else() {
    let service = ready().await;
    let globex =
        postrider_proto::v1::Settings { reseller: "globex".to_owned(), ..Mistake::WrongClient.settings() };
    service.admin().puts(globex).await;
    let held = service.admin().sends(mail("globex").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held);

    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;

    assert_eq!(sent.state(), MessageState::Sent);
}
