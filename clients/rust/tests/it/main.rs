//! The client asks again when it is told to, never twice where that would do harm, and says what is wrong.

mod service;

use std::collections::HashSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use postrider_client::v1::watch_settings_test_response::Event;
use postrider_client::{Client, Violation, v1};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation};

use self::service::{KEY, Service, refusal, retry_after};

const MILLISECOND: Duration = Duration::from_millis(1);

fn mail() -> v1::SendMailRequest {
    v1::SendMailRequest::default()
}

#[tokio::test]
async fn a_busy_service_is_asked_again_under_one_request_id() {
    let service = Service::failing([
        refusal(Code::ResourceExhausted, "QUEUE_FULL", retry_after(50 * MILLISECOND)),
        refusal(Code::Unavailable, "COMMIT_UNKNOWN", retry_after(50 * MILLISECOND)),
        Status::unavailable("connection reset"),
    ]);
    let begun = Instant::now();
    let sent = service.client().await.send_mail(mail()).await.unwrap();
    assert_eq!(sent.message.unwrap().message_id, "m1");
    assert!(begun.elapsed() >= 200 * MILLISECOND, "it came again sooner than it was told");
    let seen = service.seen();
    let ids: HashSet<_> = seen.request_ids.iter().collect();
    assert!(seen.request_ids.len() == 4 && ids.len() == 1 && !seen.request_ids[0].is_empty(), "{ids:?}");
    assert_eq!(seen.keys, vec![format!("Bearer {KEY}"); 4]);
}

#[tokio::test]
async fn bad_input_names_every_field_and_is_not_repeated() {
    let fields = [("email.to[0].address", "is no address"), ("email.subject", "has two lines")];
    let bad = fields.map(|(field, description)| FieldViolation::new(field, description));
    let bad = ErrorDetails::with_bad_request(bad);
    let service = Service::failing([refusal(Code::InvalidArgument, "INVALID_REQUEST", bad)]);
    let error = service.client().await.send_mail(mail()).await.unwrap_err();
    assert_eq!((error.code, error.reason.as_str()), (Code::InvalidArgument, "INVALID_REQUEST"));
    let violation = |(field, description): (&str, &str)| Violation {
        field: field.to_owned(),
        description: description.to_owned(),
    };
    assert_eq!(error.violations, fields.map(violation));
    assert!(error.to_string().ends_with("email.subject: has two lines (request r1)"), "{error}");
    assert_eq!(service.seen().request_ids.len(), 1);
}

#[tokio::test]
async fn a_key_that_may_exist_is_not_made_twice() {
    let service = Service::failing([refusal(Code::Unavailable, "COMMIT_UNKNOWN", retry_after(MILLISECOND))]);
    let error = service.client().await.create_key(v1::CreateKeyRequest::default()).await.unwrap_err();
    assert_eq!((error.reason.as_str(), error.metadata["message_id"].as_str()), ("COMMIT_UNKNOWN", "m1"));
    assert_eq!(service.seen().created, 1);
}

#[tokio::test]
async fn a_delay_beyond_the_deadline_is_not_waited_for() {
    let hour = Duration::from_hours(1);
    let service = Service::failing([refusal(Code::ResourceExhausted, "QUEUE_FULL", retry_after(hour))]);
    let client = service.client().await.with_timeout(Duration::from_secs(20));
    assert_eq!(client.send_mail(mail()).await.unwrap_err().retry_delay, Some(hour));
}

#[tokio::test]
async fn a_service_that_is_not_there_gives_no_reason_of_its_own() {
    let client = Client::new("http://127.0.0.1:1", KEY).unwrap().with_timeout(300 * MILLISECOND);
    let error = client.get_message(v1::GetMessageRequest::default()).await.unwrap_err();
    assert!(error.reason.is_empty() && error.code == Code::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_broken_watch_goes_on_from_its_last_cursor() {
    let service = Service::failing([refusal(Code::Unavailable, "SHUTTING_DOWN", retry_after(MILLISECOND))]);
    let mut events = pin!(service.client().await.watch(v1::WatchMessagesRequest::default()));
    for expected in ["m1", "m2"] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.message.unwrap().message_id, expected);
    }
    assert_eq!(service.seen().cursors, ["", "1"]);
}

#[tokio::test]
async fn a_revoked_key_ends_a_watch() {
    let service = Service::failing([refusal(Code::Unauthenticated, "UNAUTHENTICATED", ErrorDetails::new())]);
    let mut events = pin!(service.client().await.watch(v1::WatchMessagesRequest::default()));
    assert!(events.next().await.unwrap().is_ok());
    assert_eq!(events.next().await.unwrap().unwrap_err().reason, "UNAUTHENTICATED");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_test_of_settings_tells_each_step_and_is_asked_for_again_under_one_request_id() {
    let service = Service::failing([refusal(Code::Unavailable, "COMMIT_UNKNOWN", retry_after(MILLISECOND))]);
    let events = service.client().await.watch_settings_test(v1::WatchSettingsTestRequest::default());
    let events: Vec<_> = events.try_collect().await.unwrap();
    let [Some(began), Some(ended)] = events.iter().map(|event| event.event.as_ref()).collect::<Vec<_>>()[..]
    else {
        panic!("two events: {events:?}")
    };
    assert_eq!(began, &Event::Began(v1::TestStep::Shape.into()));
    assert!(matches!(ended, Event::Result(result) if result.passed), "{ended:?}");
    let ids = service.seen().request_ids;
    assert!(ids.len() == 2 && ids[0] == ids[1] && !ids[0].is_empty(), "{ids:?}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_once() {
    for url in ["", "127.0.0.1:50051", "ftp://a", "http://a/path"] {
        assert!(Client::new(url, KEY).is_err(), "{url:?} was taken");
    }
}
