//! Mail that is larger than one request to Graph: a draft, its files in pieces, and one sending.

use std::time::Duration;

use data_encoding::BASE64;
use mail_parser::{MessageParser, MimeHeaders};
use postrider_proto::v1::{
    Attachment, Attempt, AttemptOutcome, CancelMessageRequest, FindingClass, Message, MessageState, Settings,
};
use postrider_sandbox::seed::{self, MAILBOX, READ_WRITE_CLIENT_ID};
use postrider_testkit::{Mail, Microsoft, Service, World, acme_settings, in_time, mail};
use serde_json::{Value, json};
use tonic_types::StatusExt as _;

use crate::support::{code, given, mortal, together};

const MEBIBYTE: usize = 1024 * 1024;
/// What the API takes is 35 MB with all around it.
const LARGEST: usize = 35 * MEBIBYTE - 64 * 1024;

/// Bytes that repeat at no length of a piece.
fn content(bytes: usize) -> Vec<u8> {
    (0_u8..251).cycle().take(bytes).collect()
}

fn file(name: &str, bytes: usize) -> Attachment {
    Attachment {
        file_name: name.to_owned(),
        content_type: "application/pdf".to_owned(),
        content: content(bytes).into(),
        content_id: String::new(),
    }
}

fn with_files(files: Vec<Attachment>) -> Mail {
    mail("acme").waiting_for_sent().with(|email| email.attachments = files)
}

/// A service whose app may prepare drafts, on a strict Microsoft.
async fn able(world: &World, microsoft: &Microsoft) -> Service {
    let service = mortal(world, microsoft).with("microsoft.call_timeout", "20s").starts().await;
    let settings = Settings { client_id: READ_WRITE_CLIENT_ID.to_owned(), ..acme_settings() };
    service.admin().puts(settings).await;
    service
}

async fn drafts(microsoft: &Microsoft) -> Vec<Value> {
    let token = microsoft.issues_token(seed::TENANT_ID, READ_WRITE_CLIENT_ID, seed::SECRET).await;
    let listed = microsoft.shows(&token, &format!("{MAILBOX}/mailFolders/drafts/messages")).await;
    listed["value"].as_array().unwrap().clone()
}

/// One copy of this message, with these files and nothing left behind.
async fn arrived_once(microsoft: &Microsoft, message: &Message, files: &[(&str, usize)]) {
    assert_eq!(message.state(), MessageState::Sent, "{message:#?}");
    let received = microsoft.received().await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].internet_message_id, message.internet_message_id);
    let raw = BASE64.decode(received[0].raw.as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    let mut found: Vec<_> = parsed
        .attachments()
        .map(|part| (part.attachment_name().unwrap().to_owned(), part.contents().to_vec()))
        .collect();
    found.sort();
    assert_eq!(found.len(), files.len());
    for ((name, bytes), found) in files.iter().zip(&found) {
        assert_eq!(*name, found.0);
        assert!(content(*bytes) == found.1, "{name} is not what was put in");
    }
    assert_eq!(drafts(microsoft).await, Vec::<Value>::new(), "no draft is left");
    assert_eq!(microsoft.breaches().await, []);
}

#[tokio::test]
async fn mail_up_to_the_limit_arrives_with_its_files_as_they_were() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    let sent = service.admin().sends(with_files(vec![file("large.pdf", LARGEST)])).await;
    arrived_once(&microsoft, &sent, &[("large.pdf", LARGEST)]).await;
    microsoft.forgets_mail().await;

    let sizes = [("a.pdf", 100), ("b.pdf", 2_999_999), ("c.pdf", 3 * MEBIBYTE), ("d.pdf", 4_500_000)];
    let files = sizes.iter().map(|(name, bytes)| file(name, *bytes)).collect();
    let sent = service.admin().sends(with_files(files)).await;
    arrived_once(&microsoft, &sent, &sizes).await;
}

#[tokio::test]
async fn an_upload_that_breaks_goes_on_where_it_was() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    for (scenario, more) in [
        ("reset-after-body", json!({"delivered": true})),
        ("reset-after-body", json!({})),
        ("504-not-delivered", json!({})),
        ("504-but-delivered", json!({})),
    ] {
        let mut more = more;
        more["call"] = json!("upload");
        more["times"] = json!(1);
        microsoft.plays(scenario, MAILBOX, more).await;
        let sent = service.admin().sends(with_files(vec![file("a.pdf", 9_000_000)])).await;
        assert_eq!(sent.attempts.len(), 1, "{scenario}: {sent:#?}");
        arrived_once(&microsoft, &sent, &[("a.pdf", 9_000_000)]).await;
        microsoft.forgets_mail().await;
    }
}

#[tokio::test]
async fn what_is_given_up_leaves_no_draft_and_no_copy() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    for (scenario, more) in [
        ("503-stale", json!({"call": "upload"})),
        ("answer", json!({"call": "draft", "status": 500, "code": "ErrorInternalServerError"})),
        ("503-stale", json!({})),
    ] {
        let mut more = more;
        more["times"] = json!(1);
        microsoft.plays(scenario, MAILBOX, more.clone()).await;
        let sent = service.admin().sends(with_files(vec![file("a.pdf", 5_000_000)])).await;
        let outcomes: Vec<_> = sent.attempts.iter().map(Attempt::outcome).collect();
        assert_eq!(
            outcomes,
            [AttemptOutcome::Deferred, AttemptOutcome::Sent],
            "{scenario} {more}: {sent:#?}"
        );
        arrived_once(&microsoft, &sent, &[("a.pdf", 5_000_000)]).await;
        microsoft.forgets_mail().await;
    }
    microsoft
        .plays("answer", MAILBOX, json!({"status": 400, "code": "ErrorInvalidRecipients", "times": 1}))
        .await;
    let failed = service.admin().sends(with_files(vec![file("a.pdf", 5_000_000)])).await;
    assert_eq!(failed.state(), MessageState::Failed, "{failed:#?}");
    assert_eq!((drafts(&microsoft).await.len(), microsoft.received().await.len()), (0, 0));
}

/// Whoever is asked to wait deletes nothing in the meantime.
#[tokio::test]
async fn a_draft_that_had_to_be_left_is_gone_with_the_next_try() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    microsoft.plays("throttle-retry-after", MAILBOX, json!({"retry_after": 2, "times": 1})).await;
    let accepted = service.admin().sends({
        let mut mail = with_files(vec![file("a.pdf", 5_000_000)]);
        mail.request.wait_for = 0;
        mail
    });
    let deferred = service.admin().reaches(&accepted.await, MessageState::Deferred).await;
    assert_eq!(code(deferred.finding.as_ref()), "THROTTLED");
    let sent = service.admin().reaches(&deferred, MessageState::Sent).await;
    arrived_once(&microsoft, &sent, &[("a.pdf", 5_000_000)]).await;
}

/// An app that may only look, so that looking is none of the limits of the one that sends.
const READER: &str = "5a4d0b0c-0009-4000-8000-00000000a997";

/// A mail that is given up leaves no draft, also when Microsoft asked to wait in between and there is no next try.
#[tokio::test]
async fn what_was_cancelled_or_has_expired_leaves_no_draft_once_microsoft_may_be_asked_again() {
    let world = given();
    let microsoft = world.microsoft().await;
    let app = |id: &str, roles: &[&str]| json!({"client_id": id, "secrets": [{"value": seed::SECRET}], "roles": roles});
    let directory = json!({
        "apps": [app(READ_WRITE_CLIENT_ID, &["Mail.Send", "Mail.ReadWrite"]), app(READER, &["Mail.Read"])],
        "mailboxes": [{"address": MAILBOX}],
    });
    microsoft.knows_directory(seed::TENANT_ID, &directory).await;
    let service = able(&world, &microsoft).await;
    let token = microsoft.issues_token(seed::TENANT_ID, READER, seed::SECRET).await;
    let drafts = async || {
        let listed = microsoft.shows(&token, &format!("{MAILBOX}/mailFolders/drafts/messages")).await;
        listed["value"].as_array().unwrap().len()
    };
    let throttled = async |mail: Mail| {
        let mut mail = mail.with(|email| email.attachments = vec![file("a.pdf", 5_000_000)]);
        mail.request.wait_for = 0;
        microsoft.plays("throttle-retry-after", MAILBOX, json!({"retry_after": 4})).await;
        let accepted = service.admin().sends(mail).await;
        let deferred = service.admin().reaches(&accepted, MessageState::Deferred).await;
        assert_eq!(drafts().await, 1, "Retry-After is kept");
        let told = &deferred.finding.as_ref().unwrap().evidence["draft"];
        assert!(told.contains("if it ends before"), "{told}");
        deferred
    };

    let deferred = throttled(mail("acme")).await;
    let cancel = CancelMessageRequest { reseller: "acme".into(), message_id: deferred.message_id };
    service.admin().mail().cancel_message(cancel).await.unwrap();
    in_time("the draft of the cancelled mail is gone", async {
        while drafts().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let deferred = throttled(mail("acme").living(Duration::from_secs(5))).await;
    service.admin().reaches(&deferred, MessageState::Expired).await;
    in_time("the drafts of the expired mail are gone", async {
        while drafts().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(microsoft.breaches().await, []);
    assert_eq!(microsoft.received().await.len(), 0);
}

/// The time that the dead call had is waited out first: 22 seconds for 5 MB.
#[tokio::test]
async fn a_process_that_dies_while_it_uploads_leaves_nothing_that_the_next_does_not_clear() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await;
    service.admin().puts(Settings { client_id: READ_WRITE_CLIENT_ID.to_owned(), ..acme_settings() }).await;
    microsoft.plays("hang", MAILBOX, json!({"call": "upload", "times": 1})).await;
    let mut mail = with_files(vec![file("a.pdf", 5_000_000)]);
    mail.request.wait_for = 0;
    let accepted = service.admin().sends(mail).await;
    in_time("a draft is there", async {
        while drafts(&microsoft).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    service.is_killed_and_returns().await;
    let sent = service.admin().reaches(&accepted, MessageState::Sent).await;
    arrived_once(&microsoft, &sent, &[("a.pdf", 5_000_000)]).await;
}

#[tokio::test]
async fn a_sending_in_doubt_is_told_like_any_other() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    microsoft.plays("504-but-delivered", MAILBOX, json!({"times": 1})).await;
    let unknown = service.admin().sends(with_files(vec![file("a.pdf", 5_000_000)]).at_most_once()).await;
    assert_eq!(unknown.state(), MessageState::OutcomeUnknown, "{unknown:#?}");
    assert_eq!(microsoft.copies(&unknown.internet_message_id).await, 1);
}

#[tokio::test]
async fn without_mail_read_write_it_fails_at_once_and_says_what_to_grant() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let failed = service.admin().sends(with_files(vec![file("a.pdf", 5_000_000)])).await;
    assert_eq!(failed.state(), MessageState::Failed, "{failed:#?}");
    assert_eq!(failed.attempts.len(), 1);
    let finding = failed.finding.as_ref().unwrap();
    assert_eq!(
        (finding.code.as_str(), finding.class()),
        ("ATTACHMENT_NEEDS_READWRITE", FindingClass::Message)
    );
    assert!(finding.mend.contains("Mail.ReadWrite"));
    let small = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(small.state(), MessageState::Sent, "the lane goes on");

    let tested = Settings { client_id: READ_WRITE_CLIENT_ID.to_owned(), ..acme_settings() };
    service.admin().puts(tested).await;
    let sent = service.admin().sends(with_files(vec![file("a.pdf", 5_000_000)])).await;
    assert_eq!(sent.state(), MessageState::Sent, "granted, it goes: {sent:#?}");
}

#[tokio::test]
async fn a_large_mail_cannot_be_kept_out_of_sent_items() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    let mail =
        with_files(vec![file("a.pdf", 5_000_000)]).with(|email| email.save_to_sent_items = Some(false));
    let refused = service.admin().tries(mail).await.unwrap_err();
    assert_eq!(postrider_testkit::violations(&refused), ["email.save_to_sent_items"]);
}

/// There is nothing to leave out but the texts themselves.
#[tokio::test]
async fn texts_that_no_request_carries_are_to_be_shortened() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = able(&world, &microsoft).await;
    let long = mail("acme").with(|email| email.html = "x".repeat(2_500_000));
    let refused = service.admin().tries(long).await.unwrap_err();
    let told = refused.get_error_details();
    let told = &told.bad_request().unwrap().field_violations[0];
    assert_eq!(told.field, "email");
    assert!(told.description.contains("shorten the text or the HTML"), "{}", told.description);
    assert!(!told.description.contains("leave out"), "{}", told.description);
}

/// Peak memory in MB, as Linux counts it.
fn peak(service: &mut Service) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.program().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Fifty mails of 10 MB in twenty-five lanes; what is held of them at a time is far less.
#[tokio::test]
async fn memory_does_not_grow_with_the_files_times_the_queue() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = able(&world, &microsoft).await;
    let lanes: Vec<String> = (0..25).map(|number| format!("lane-{number}")).collect();
    microsoft.knows_directory(seed::TENANT_ID, &directory_of(&lanes)).await;
    for lane in &lanes {
        let settings = Settings {
            reseller: lane.clone(),
            client_id: READ_WRITE_CLIENT_ID.to_owned(),
            sender_mailbox: format!("{lane}@acme.example"),
            ..acme_settings()
        };
        service.admin().puts(settings).await;
    }
    microsoft
        .plays_for_directory("slow", seed::TENANT_ID, json!({"call": "upload", "milliseconds": 300}))
        .await;
    let mut accepted = Vec::new();
    for number in 0..50 {
        let mut mail = with_files(vec![file("a.pdf", 10_000_000)]);
        mail.request.reseller.clone_from(&lanes[number % lanes.len()]);
        mail.request.wait_for = 0;
        accepted.push(service.admin().sends(mail).await);
    }
    together(accepted.into_iter().map(|message| {
        let client = service.admin().clone();
        async move { client.reaches(&message, MessageState::Sent).await }
    }))
    .await;
    let peak = peak(&mut service);
    println!("peak memory {peak} MB for 500 MB of mail");
    assert!(peak < 350, "{peak} MB");
    assert_eq!(microsoft.breaches().await, []);
}

fn directory_of(mailboxes: &[String]) -> Value {
    let mailboxes: Vec<_> =
        mailboxes.iter().map(|name| json!({"address": format!("{name}@acme.example")})).collect();
    json!({
        "apps": [{
            "client_id": READ_WRITE_CLIENT_ID,
            "secrets": [{"value": seed::SECRET}],
            "roles": ["Mail.Send", "Mail.ReadWrite"],
        }],
        "mailboxes": mailboxes,
    })
}
