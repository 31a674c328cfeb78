//! Whatever the stand-in plays, driven through the built binary: what becomes of the mail, and the stand-in's own log as
//! witness of how many copies arrived and which limits were broken.
//!
//! Each scenario has its own service, and a Microsoft that is strict. A row tells the mail's state, its attempts with
//! their findings, the copies that somebody would have received and what became of those.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use postrider_proto::v1::{Message, MessageState, Settings};
use postrider_sandbox::seed;
use postrider_testkit::{Delivered, Mail, Microsoft, Service, acme_settings, from_now, in_time, mail};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::{code, given, mortal, together};

/// As many at a time as a small machine can run.
const AT_ONCE: usize = 16;
const FAR_AWAY: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Case {
    scenario: &'static str,
    more: Value,
    at_most_once: bool,
    mails: usize,
}

fn case(scenario: &'static str, more: Value) -> Case {
    Case { scenario, more, at_most_once: false, mails: 1 }
}

/// In doubt by either policy.
fn doubtful(scenario: &'static str, more: &Value) -> [Case; 2] {
    [true, false].map(|at_most_once| Case { at_most_once, ..case(scenario, more.clone()) })
}

fn cases() -> Vec<Case> {
    let once = |more: Value| {
        let mut more = more;
        more["times"] = json!(1);
        more
    };
    let mut cases: Vec<Case> = vec![
        case("answer", once(json!({"status": 400, "code": "ErrorInvalidRecipients"}))),
        case("answer", once(json!({"status": 401, "code": "InvalidAuthenticationToken"}))),
        case("answer", once(json!({"status": 418, "code": "ErrorOfTomorrow", "message": "never heard of"}))),
        case("answer", once(json!({"status": 401, "aadsts": 7_000_222, "call": "token"}))),
        case("throttle-retry-after", once(json!({"retry_after": 1}))),
        case("throttle-retry-after", once(json!({"retry_after": 1.128}))),
        case("throttle-retry-after", once(json!({"retry_after": "http-date", "seconds": 1}))),
        case("throttle-retry-after", once(json!({"retry_after": "absent"}))),
        case("concurrency", once(json!({}))),
        case("503-stale", once(json!({"retry_after": 1}))),
        case("503-html", once(json!({}))),
        case("413-plain", once(json!({}))),
        case("429-plain-text-token", once(json!({"retry_after": 1}))),
        case("token-without-roles", json!({})),
        case("opaque-token", json!({})),
        case("rbac-only", json!({})),
        case("raop-denied", json!({})),
        case("secret-expires-at", json!({"expire_time": "2020-01-01T00:00:00Z"})),
        case("secret-expires-at", json!({"expire_time": "2999-01-01T00:00:00Z"})),
        case("clock-skew", json!({"seconds": 900})),
        case("mailbox-full", json!({})),
        case("slow", once(json!({"milliseconds": 700}))),
        case("ndr-later", json!({})),
        case("terrl", json!({})),
        case("rewrite-from-to-primary", json!({})),
        case("drop-unknown-x-headers-in-mime", json!({})),
        Case { mails: 2, ..case("slow-30-per-minute", json!({})) },
    ];
    for (scenario, more) in [
        ("504-but-delivered", json!({})),
        ("504-not-delivered", json!({})),
        ("hang", json!({})),
        ("hang", json!({"delivered": true})),
        ("reset-after-body", json!({})),
        ("reset-after-body", json!({"delivered": true})),
        ("200-not-202", json!({})),
        ("500-empty", json!({})),
    ] {
        cases.extend(doubtful(scenario, &once(more)));
    }
    cases
}

/// It has ended, or its next try is far away.
fn is_settled(message: &Message) -> bool {
    use MessageState::{Deferred, Expired, Failed, Held, OutcomeUnknown, Sent};
    let soon = from_now(FAR_AWAY).seconds;
    let waits = message.next_attempt_time.is_some_and(|time| time.seconds > soon);
    [Sent, Failed, Held, OutcomeUnknown, Expired].contains(&message.state())
        || (message.state() == Deferred && waits)
}

/// The mails as they ended, and what the stand-in has of them.
async fn played(case: &Case) -> (Vec<Message>, Vec<Delivered>, Service) {
    let world = given();
    let microsoft = world.microsoft().await;
    microsoft.plays(case.scenario, seed::MAILBOX, case.more.clone()).await;
    let service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let mut ended = Vec::new();
    for _ in 0..case.mails {
        let mail = if case.at_most_once { mail("acme").at_most_once() } else { mail("acme") };
        let accepted = service.admin().sends(mail).await;
        ended.push(service.admin().becomes(&accepted, "settled", is_settled).await);
    }
    let received = microsoft.received().await;
    (ended, received, service)
}

async fn row(case: Case) -> String {
    let (ended, received, service) = played(&case).await;
    let mut row = format!("{} {}", case.scenario, parameters(&case.more));
    if case.at_most_once {
        row.push_str(" at most once");
    }
    for message in &ended {
        let tries: Vec<String> = message.attempts.iter().map(told).collect();
        let _ = write!(row, "\n    {}: {}", message.state().as_str_name(), tries.join(", "));
    }
    let fates: Vec<&str> = received.iter().map(|mail| mail.delivery.status.as_str()).collect();
    let fates = if fates.is_empty() { "none".to_owned() } else { fates.join(", ") };
    let breaches = service.microsoft().breaches().await;
    assert_eq!(breaches, [], "no limit is ever broken: {row}");
    format!("{row}\n    copies: {fates}\n")
}

fn told(attempt: &postrider_proto::v1::Attempt) -> String {
    let outcome = attempt.outcome().as_str_name().to_lowercase();
    match code(attempt.finding.as_ref()) {
        "" => outcome,
        code => format!("{outcome} {code}"),
    }
}

fn parameters(more: &Value) -> String {
    let all = more.as_object().into_iter().flatten().filter(|(name, _)| *name != "times");
    all.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_scenario_ends_as_it_should_with_the_copies_it_should_and_no_limit_broken() {
    let cases = cases();
    let known: BTreeSet<&str> = postrider_sandbox::scenarios().map(|(name, _)| name).collect();
    let played: BTreeSet<&str> = cases.iter().map(|case| case.scenario).collect();
    assert_eq!(played, known, "each has a case here");
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let rows = together(cases.into_iter().map(|case| {
        let room = Arc::clone(&room);
        async move {
            let _room = room.acquire().await;
            row(case).await
        }
    }))
    .await;
    insta::assert_snapshot!(rows.concat());
}

/// More mails than a minute takes, each slow enough that more than four would be under way at once.
const CROWD: usize = 40;
const SLOW_MILLISECONDS: u64 = 300;

async fn accepts_a_crowd(service: &Service) {
    together((0..CROWD).map(|_| {
        let client = service.admin().clone();
        async move { client.sends(mail("acme")).await }
    }))
    .await;
}

async fn sent_by(microsoft: &Microsoft, mailbox: &str) -> usize {
    microsoft.received().await.iter().filter(|mail| mail.mailbox == mailbox).count()
}

#[tokio::test]
async fn a_crowd_of_mails_for_one_mailbox_breaks_no_limit() {
    let world = given();
    let microsoft = world.microsoft().await;
    let slow = json!({"milliseconds": SLOW_MILLISECONDS});
    microsoft.plays_for_directory("slow", seed::TENANT_ID, slow).await;
    let service = world.service().sending_to(&microsoft).starts().await.with_acme().await;
    let sender_mailbox = seed::SECOND_MAILBOX.to_owned();
    service.admin().puts(Settings { reseller: "beta".to_owned(), sender_mailbox, ..acme_settings() }).await;
    accepts_a_crowd(&service).await;
    in_time("a minute's mails are sent", async {
        while sent_by(&microsoft, seed::MAILBOX).await < 30 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    // By then a thirty-first would be there too.
    let later = service.admin().sends(mail("beta").waiting_for_sent()).await;
    assert_eq!(later.state(), MessageState::Sent, "{later:#?}");
    assert_eq!(sent_by(&microsoft, seed::MAILBOX).await, 30);
    assert_eq!(microsoft.breaches().await, []);
}

/// What the test above would see: two services that know nothing of each other, and do not count the minute.
#[tokio::test]
async fn a_crowd_that_keeps_no_limits_is_counted() {
    let world = given();
    let microsoft = world.microsoft().await;
    let slow = json!({"milliseconds": SLOW_MILLISECONDS});
    microsoft.plays("slow", seed::MAILBOX, slow).await;
    let one = mortal(&world, &microsoft).starts().await.with_acme().await;
    let other = mortal(&given(), &microsoft).starts().await.with_acme().await;
    tokio::join!(accepts_a_crowd(&one), accepts_a_crowd(&other));
    in_time("both limits are seen to be broken", async {
        loop {
            let broken: BTreeSet<_> =
                microsoft.breaches().await.into_iter().map(|breach| breach.limit).collect();
            if broken.contains("concurrency") && broken.contains("rate") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn arrives(scenario: &str, mail: Mail) -> String {
    let world = given();
    let microsoft = world.microsoft().await;
    microsoft.plays(scenario, seed::MAILBOX, json!({})).await;
    let service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let sent = service.admin().sends(mail.waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    microsoft.received().await[0].text()
}

#[tokio::test]
async fn a_header_that_exchange_would_drop_from_mime_arrives_all_the_same() {
    let marked = mail("acme").with(|email| {
        email.headers.insert("X-Campaign".to_owned(), "spring".to_owned());
    });
    let text = arrives("drop-unknown-x-headers-in-mime", marked).await;
    assert!(text.contains("X-Campaign: spring"), "{text}");
}

#[tokio::test]
async fn a_from_that_exchange_rewrites_is_the_mailboxs_own() {
    let named = || {
        mail("acme").with(|email| {
            let display_name = "Acme Sales".to_owned();
            email.from = Some(postrider_proto::v1::Address { display_name, ..Default::default() });
        })
    };
    let text = arrives("rewrite-from-to-primary", named()).await;
    assert!(text.contains("From: <sales@acme.example>") && !text.contains("Acme Sales"), "{text}");
    let text = arrives("opaque-token", named()).await;
    assert!(text.contains("Acme Sales"), "{text}");
}

/// A policy takes its time to spread: the lane is held, and a passed test wakes it. (The stand-in has the real clock.)
#[tokio::test]
async fn a_policy_that_has_spread_is_noticed_by_the_next_test() {
    let world = given();
    let microsoft = world.microsoft().await;
    let end_time = jiff_in(4);
    microsoft.plays("raop-denied", seed::MAILBOX, json!({"end_time": end_time})).await;
    let service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held, "{held:#?}");
    assert!(!service.admin().tests("acme", None).await.passed);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(service.admin().tests("acme", None).await.passed);
    service.admin().reaches(&held, MessageState::Sent).await;
    assert_eq!(microsoft.breaches().await, []);
}

fn jiff_in(seconds: u64) -> String {
    let time = from_now(Duration::from_secs(seconds));
    jiff::Timestamp::new(time.seconds, time.nanos).unwrap().to_string()
}
