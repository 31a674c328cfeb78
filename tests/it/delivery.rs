//! What becomes of a message at Microsoft: only 202 is sent, what passes is tried again, and a doubt is told.

use std::time::Duration;

use postrider_proto::v1::{Attachment, AttemptOutcome, FindingClass, Message, MessageState, SendMailRequest};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Service, mail};
use serde_json::json;
use tonic::{Code, Request};

use crate::support::{code, doubts, given, ready, together};

fn outcomes(message: &Message) -> Vec<AttemptOutcome> {
    message.attempts.iter().map(postrider_proto::v1::Attempt::outcome).collect()
}

async fn with_call_timeout(span: &str) -> Service {
    given().service().with("microsoft.call_timeout", span).starts().await
}

#[tokio::test]
async fn a_mail_that_microsoft_takes_is_sent_with_one_attempt_and_its_request_id() {
    let service = ready().await;
    let sent = service.admin().sends(mail("acme").labelled("team", "blue").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
    assert_eq!(outcomes(&sent), [AttemptOutcome::Sent]);
    let attempt = &sent.attempts[0];
    assert_eq!(attempt.number, 1);
    assert!(!attempt.graph_request_id.is_empty());
    assert!(attempt.start_time.is_some() && attempt.end_time.is_some());
    assert!(sent.internet_message_id.starts_with('<') && sent.internet_message_id.ends_with('>'));
    assert_eq!((sent.subject.as_str(), sent.recipient_count), ("An offer", 1));
    assert_eq!(sent.labels["team"], "blue");
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
    let read = service.admin().message("acme", &sent.message_id).await;
    assert_eq!(read, sent, "what is read later is what was answered");
}

#[tokio::test]
async fn a_throttled_lane_comes_again_when_microsoft_said_and_not_before() {
    let service = ready().await;
    let throttle = json!({"retry_after": 2, "times": 1});
    service.microsoft().plays("throttle-retry-after", seed::MAILBOX, throttle).await;

    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;

    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    assert_eq!(outcomes(&sent), [AttemptOutcome::Deferred, AttemptOutcome::Sent]);
    assert_eq!(code(sent.attempts[0].finding.as_ref()), "THROTTLED");
    assert_eq!(service.microsoft().breaches().await, []);
}

/// Each call takes its time, so that four are in flight when the first is answered 429: none of those is a breach, and
/// every later one before its time would be.
#[tokio::test]
async fn a_throttled_lane_with_a_queue_leaves_the_mailbox_alone() {
    let service = given().service().with("pace.messages_per_minute", "0").starts().await;
    service.microsoft().plays("slow", seed::MAILBOX, json!({"milliseconds": 100})).await;
    let throttle = json!({"retry_after": 3, "times": 1});
    service.microsoft().plays("throttle-retry-after", seed::MAILBOX, throttle).await;
    let sent = together((0..16).map(|_| {
        let client = service.admin().clone();
        async move { client.sends(mail("acme").waiting_for_sent()).await }
    }))
    .await;
    assert!(sent.iter().all(|message| message.state() == MessageState::Sent));
    assert_eq!(service.microsoft().breaches().await, []);
    assert_eq!(service.microsoft().received().await.len(), 16);
}

#[tokio::test]
async fn what_passes_is_tried_again_with_the_same_message_id() {
    let service = ready().await;
    service.microsoft().plays("503-stale", seed::MAILBOX, json!({"times": 1})).await;

    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;

    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    assert_eq!(outcomes(&sent), [AttemptOutcome::Deferred, AttemptOutcome::Sent]);
    assert_eq!(code(sent.attempts[0].finding.as_ref()), "MICROSOFT_UNAVAILABLE");
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
}

#[tokio::test]
async fn an_outage_at_entra_defers_and_holds_nothing() {
    let service = ready().await;
    let outage = json!({"times": 1, "call": "token"});
    service.microsoft().plays("503-html", seed::MAILBOX, outage).await;
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    assert_eq!(service.microsoft().received().await.len(), 1);
}

#[tokio::test]
async fn a_doubt_at_most_once_ends_as_unknown_and_is_never_sent_again() {
    let service = ready().await;
    service.microsoft().plays("504-but-delivered", seed::MAILBOX, json!({"times": 1})).await;

    let unknown = service.admin().sends(mail("acme").at_most_once().waiting_for_sent()).await;

    assert_eq!(unknown.state(), MessageState::OutcomeUnknown, "{unknown:#?}");
    assert_eq!(outcomes(&unknown), [AttemptOutcome::InDoubt]);
    assert_eq!(unknown.finding.as_ref().unwrap().class(), FindingClass::InDoubt);
    // One that comes after it shows that the lane went on.
    let next = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(next.state(), MessageState::Sent);
    assert_eq!(service.microsoft().copies(&unknown.internet_message_id).await, 1);
}

#[tokio::test]
async fn a_doubt_at_least_once_is_sent_again_and_told_in_the_history() {
    let service = ready().await;
    service.microsoft().plays("504-but-delivered", seed::MAILBOX, json!({"times": 1})).await;

    let message = service.admin().sends(mail("acme")).await;

    let doubtful = service.admin().becomes(&message, "in doubt", |message| doubts(message) == 1).await;
    assert!(!doubtful.internet_message_id.is_empty());
    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    assert_eq!(outcomes(&sent), [AttemptOutcome::InDoubt, AttemptOutcome::Sent]);
    assert_eq!(sent.internet_message_id, doubtful.internet_message_id);
    assert_eq!(
        service.microsoft().copies(&sent.internet_message_id).await,
        2,
        "the second copy that was told"
    );
}

#[tokio::test]
async fn a_call_without_an_answer_is_in_doubt_at_its_deadline() {
    let service = with_call_timeout("1s").await;
    for scenario in ["hang", "reset-after-body"] {
        service.microsoft().plays(scenario, seed::MAILBOX, json!({"times": 1})).await;
        let unknown = service.admin().sends(mail("acme").at_most_once().waiting_for_sent()).await;
        assert_eq!(unknown.state(), MessageState::OutcomeUnknown, "{scenario}: {unknown:#?}");
        assert_eq!(code(unknown.finding.as_ref()), "OUTCOME_UNKNOWN", "{scenario}");
    }
}

#[tokio::test]
async fn only_202_is_sent() {
    let service = ready().await;
    service.microsoft().plays("200-not-202", seed::MAILBOX, json!({"times": 1})).await;
    let unknown = service.admin().sends(mail("acme").at_most_once().waiting_for_sent()).await;
    assert_eq!(unknown.state(), MessageState::OutcomeUnknown, "{unknown:#?}");
    assert_eq!(code(unknown.finding.as_ref()), "ACCEPTED_NOT_202");
}

#[tokio::test]
async fn a_message_refused_for_its_own_fault_fails_and_holds_nobody() {
    let service = ready().await;
    service.microsoft().plays("413-plain", seed::MAILBOX, json!({"times": 1})).await;

    let failed = service.admin().sends(mail("acme").waiting_for_sent()).await;

    assert_eq!(failed.state(), MessageState::Failed, "{failed:#?}");
    assert_eq!(outcomes(&failed), [AttemptOutcome::Rejected]);
    let finding = failed.finding.as_ref().unwrap();
    assert_eq!((finding.code.as_str(), finding.class()), ("MESSAGE_TOO_LARGE", FindingClass::Message));
    let next = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(next.state(), MessageState::Sent);
}

#[tokio::test]
async fn a_mailbox_never_has_more_than_four_calls_at_once() {
    let service = given().service().with("pace.messages_per_minute", "0").starts().await;
    service.microsoft().plays("slow", seed::MAILBOX, json!({"milliseconds": 150})).await;

    let sent = together((0..30).map(|_| {
        let client = service.admin().clone();
        async move { client.sends(mail("acme").waiting_for_sent()).await }
    }))
    .await;

    assert!(sent.iter().all(|message| message.state() == MessageState::Sent));
    assert_eq!(service.microsoft().breaches().await, []);
    assert_eq!(service.microsoft().received().await.len(), 30);
}

/// A call that gives up after so long.
async fn sends_within(
    service: &Service,
    mail: postrider_testkit::Mail,
    limit: Duration,
) -> Result<Message, Code> {
    let mut request = Request::new(SendMailRequest::from(mail));
    request.set_timeout(limit);
    let answer = service.admin().mail().send_mail(request).await;
    answer.map(|response| response.into_inner().message.unwrap()).map_err(|status| status.code())
}

#[tokio::test]
async fn a_deadline_shorter_than_the_mail_is_answered_with_the_state_so_far() {
    let service = ready().await;
    service.microsoft().plays("slow", seed::MAILBOX, json!({"milliseconds": 4_000, "times": 1})).await;

    let so_far =
        sends_within(&service, mail("acme").waiting_for_sent(), Duration::from_secs(2)).await.unwrap();

    assert!(!so_far.message_id.is_empty());
    assert!(matches!(so_far.state(), MessageState::Accepted | MessageState::Sending), "{so_far:#?}");
    let sent = service.admin().reaches(&so_far, MessageState::Sent).await;
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
}

#[tokio::test]
async fn a_deadline_that_passed_loses_nothing_and_doubles_nothing() {
    let service = ready().await;
    for number in 0..12_u64 {
        let request_id = format!("hasty-{number}");
        let hasty = || mail("acme").about(&request_id).request_id(&request_id);
        // However it ends, asking again tells.
        let first = sends_within(&service, hasty(), Duration::from_millis(number)).await;
        let again = service.admin().tries(hasty().waiting_for_sent()).await.unwrap();
        let message = again.message.unwrap();
        assert_eq!(message.state(), MessageState::Sent);
        if let Ok(first) = first {
            assert!(again.replayed);
            assert_eq!(first.message_id, message.message_id);
        }
    }
    assert_eq!(service.admin().messages("acme").await.len(), 12);
    assert_eq!(service.microsoft().received().await.len(), 12);
}

#[tokio::test]
async fn a_message_that_nobody_would_take_in_time_expires() {
    let service = ready().await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    let held = service.admin().sends(mail("acme").living(Duration::from_secs(2))).await;
    let expired = service.admin().reaches(&held, MessageState::Expired).await;
    assert_eq!(doubts(&expired), 0);
    assert!(service.microsoft().received().await.is_empty());
}

#[tokio::test]
async fn the_first_attempts_of_a_lane_start_in_the_order_of_acceptance() {
    let service = given().service().with("pace.concurrency", "1").starts().await;
    let mut accepted = Vec::new();
    for number in 0..6 {
        accepted.push(service.admin().sends(mail("acme").about(&format!("number {number}"))).await);
    }
    for message in &accepted {
        service.admin().reaches(message, MessageState::Sent).await;
    }
    let received: Vec<_> =
        service.microsoft().received().await.into_iter().map(|mail| mail.subject).collect();
    let mut in_order = received.clone();
    in_order.sort();
    let newest_first = in_order.iter().rev().eq(&received);
    assert!(received == in_order || newest_first, "{received:?}");
}

#[tokio::test]
async fn what_was_written_arrives_as_it_was_written() {
    let service = ready().await;
    let rich = mail("acme").about("Grüße — 4711").waiting_for_sent().with(|email| {
        email.html = "<p>Hello</p>".to_owned();
        email.reply_to = vec![postrider_testkit::address("desk@acme.example")];
        email.headers.insert("In-Reply-To".to_owned(), "<before@customer.example>".to_owned());
        email.attachments = vec![Attachment {
            file_name: "plan.bin".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            content: vec![7; 2_000_000].into(),
            content_id: String::new(),
        }];
    });

    let sent = service.admin().sends(rich).await;

    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    let received = service.microsoft().received().await;
    assert_eq!(received[0].subject, "Grüße — 4711");
    let text = received[0].text().to_lowercase();
    for header in ["reply-to: ", "desk@acme.example", "in-reply-to: <before@customer.example>"] {
        assert!(text.contains(header), "{header}");
    }
    assert!(text.len() > 2_000_000 && text.contains("plan.bin"));
}

/// Only Graph's JSON can leave the copy out, and JSON takes no Message-ID of ours and few headers.
#[tokio::test]
async fn a_mail_without_a_copy_in_sent_items_is_sent_and_its_limits_are_told() {
    let service = ready().await;
    let bare = || mail("acme").waiting_for_sent().with(|email| email.save_to_sent_items = Some(false));
    let sent = service.admin().sends(bare()).await;
    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    assert_eq!(sent.internet_message_id, "");
    assert_eq!(service.microsoft().received().await.len(), 1);
    let marked = bare().about("marked").with(|email| {
        email.headers.insert("x-campaign".to_owned(), "spring".to_owned());
    });
    service.admin().sends(marked).await;
    let received = service.microsoft().received_about("marked").await;
    assert!(received[0].text().contains("spring"), "{}", received[0].text());
    let threaded = bare().with(|email| {
        email.headers.insert("In-Reply-To".to_owned(), "<before@customer.example>".to_owned());
    });
    let refused = service.admin().tries(threaded).await.unwrap_err();
    assert_eq!(postrider_testkit::violations(&refused), ["email.headers"]);
    let many = bare().with(|email| {
        email.headers.extend((0..6).map(|number| (format!("x-{number}"), "value".to_owned())));
    });
    let refused = service.admin().tries(many).await.unwrap_err();
    assert_eq!(postrider_testkit::violations(&refused), ["email.headers"]);
}
