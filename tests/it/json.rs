//! JSON over HTTP: with nothing but curl a mail is sent, looked up, and settings are tested, under the same rules as by gRPC.

use std::time::Duration;

use postrider_proto::v1::Scope;
use postrider_sandbox::seed;
use postrider_testkit::{Service, from_now, mail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{given, ready};

const MESSAGES: &str = "/v1/resellers/acme/messages";
const TEST: &str = "/v1/resellers/acme/settings:test";

fn request(service: &Service, method: Method, path: &str) -> RequestBuilder {
    reqwest::Client::default().request(method, format!("http://{}{path}", service.http()))
}

fn with_key(service: &Service, method: Method, path: &str) -> RequestBuilder {
    request(service, method, path).bearer_auth(service.admin().key())
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")))
}

async fn posts(service: &Service, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    answer(with_key(service, Method::POST, path).body(body)).await
}

fn a_mail(more: Value) -> Value {
    let mut mail = json!({
        "email": {"to": [{"address": "ann@customer.example"}], "subject": "By curl", "text": "Hello."},
    });
    let Value::Object(more) = more else { panic!("no object: {more}") };
    mail.as_object_mut().unwrap().extend(more);
    mail
}

/// The HTTP status, the code's name and the reason of an error, whose form is looked at too.
fn refusal((status, answer): (u16, Value)) -> (u16, String, String) {
    let error = &answer["error"];
    assert_eq!(error["code"], status, "{answer}");
    let is = |detail: &&Value| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo";
    let details = error["details"].as_array().unwrap();
    let infos: Vec<_> = details.iter().filter(is).collect();
    assert_eq!(infos.len(), 1, "{answer}");
    assert_eq!(infos[0]["domain"], "postrider");
    assert!(details.iter().any(|detail| detail["@type"] == "type.googleapis.com/google.rpc.RequestInfo"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (status, text(&error["status"]), text(&infos[0]["reason"]))
}

fn refused(status: u16, name: &str, reason: &str) -> (u16, String, String) {
    (status, name.to_owned(), reason.to_owned())
}

fn fields(answer: &Value) -> Vec<&str> {
    let details = answer["error"]["details"].as_array().unwrap();
    let bad = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.BadRequest");
    let violations = bad.unwrap()["fieldViolations"].as_array().unwrap();
    violations.iter().map(|violation| violation["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_mail_is_sent_and_looked_up_in_lower_camel_case() {
    let service = ready().await;
    let body = a_mail(json!({"requestId": "order-1", "waitFor": "WAIT_FOR_SENT"}));
    let (status, sent) = posts(&service, MESSAGES, body.to_string()).await;
    assert_eq!((status, &sent["message"]["state"]), (200, &json!("MESSAGE_STATE_SENT")), "{sent}");
    assert_eq!(sent["message"]["requestId"], "order-1");
    assert!(sent["message"]["internetMessageId"].as_str().unwrap().starts_with('<'));
    let id = sent["message"]["messageId"].as_str().unwrap();
    let (status, found) = answer(with_key(&service, Method::GET, &format!("{MESSAGES}/{id}"))).await;
    assert_eq!((status, &found["message"]["subject"]), (200, &json!("By curl")), "{found}");
    assert_eq!(found["message"]["attempts"][0]["outcome"], "ATTEMPT_OUTCOME_SENT");
    assert_eq!(service.microsoft().received_about("By curl").await.len(), 1);
}

#[tokio::test]
async fn both_spellings_are_read_and_are_the_same_request() {
    let service = ready().await;
    let camel = a_mail(json!({"requestId": "order-1", "reseller": "acme"}));
    let snake = a_mail(json!({"request_id": "order-1"}));
    let (_, first) = posts(&service, MESSAGES, camel.to_string()).await;
    let (status, again) = posts(&service, MESSAGES, snake.to_string()).await;
    assert_eq!((status, &again["replayed"]), (200, &json!(true)), "{again}");
    assert_eq!(first["message"]["messageId"], again["message"]["messageId"]);
    let by_grpc = service.admin().message("acme", first["message"]["messageId"].as_str().unwrap()).await;
    assert_eq!(by_grpc.request_id, "order-1");
}

#[tokio::test]
async fn files_are_base64() {
    let service = ready().await;
    let mut body = a_mail(json!({"waitFor": "WAIT_FOR_SENT"}));
    body["email"]["attachments"] =
        json!([{"fileName": "a.txt", "contentType": "text/plain", "content": "SGVsbG8gZmlsZQ=="}]);
    assert_eq!(posts(&service, MESSAGES, body.to_string()).await.0, 200);
    let received = service.microsoft().received_about("By curl").await;
    assert!(received[0].text().contains("SGVsbG8gZmlsZQ=="), "{}", received[0].text());
}

#[tokio::test]
async fn settings_are_tested_and_a_failed_test_is_an_answer() {
    let service = ready().await;
    let (status, good) = posts(&service, TEST, "{}").await;
    assert_eq!((status, &good["passed"]), (200, &json!(true)), "{good}");
    assert_eq!(good["steps"].as_array().unwrap().len(), 5);
    let candidate = json!({"level": "TEST_LEVEL_TOKEN", "candidate": {
        "tenantId": seed::TENANT_ID, "clientId": seed::CLIENT_ID, "senderMailbox": seed::MAILBOX,
        "clientSecret": {"value": seed::SECRET_ID},
    }});
    let (status, bad) = posts(&service, TEST, candidate.to_string()).await;
    assert_eq!((status, bad.get("passed")), (200, None), "{bad}");
    let codes = bad["steps"].to_string();
    assert!(codes.contains("SECRET_IS_ID"), "{bad}");
}

#[tokio::test]
async fn a_colon_that_a_client_encodes_is_a_colon() {
    let service = ready().await;
    for path in [TEST.replace(':', "%3A"), TEST.replace(':', "%3a")] {
        let (status, good) = posts(&service, &path, r#"{"level": "TEST_LEVEL_TOKEN"}"#).await;
        assert_eq!((status, &good["passed"]), (200, &json!(true)), "{path}: {good}");
    }
}

#[tokio::test]
async fn what_is_no_json_of_the_request_is_undecodable_and_says_where() {
    let service = ready().await;
    let undecodable = refused(400, "INVALID_ARGUMENT", "UNDECODABLE");
    for body in [
        "",
        "[]",
        "{",
        "{} {}",
        "null",
        r#"{"emial": {}}"#,
        r#"{"email": {"to": "ann"}}"#,
        r#"{"waitFor": "SOON"}"#,
    ] {
        let (status, answer) = posts(&service, MESSAGES, body).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("line 1"), "{body}: {answer}");
        assert_eq!(refusal((status, answer)), undecodable, "{body}");
    }
    assert_eq!(refusal(posts(&service, MESSAGES, vec![0xff, 0xfe]).await), undecodable);
    assert_eq!(refusal(posts(&service, TEST, "{\"step\": 1}").await), undecodable);
}

#[tokio::test]
async fn all_bad_fields_are_told_at_once_under_their_paths() {
    let service = ready().await;
    let body = json!({"email": {"to": [{"address": "ann"}], "text": "Hello.", "headers": {"Date": "now"}}, "ttl": "-1s"});
    let (status, answer) = posts(&service, MESSAGES, body.to_string()).await;
    assert_eq!(fields(&answer), ["email.to[0].address", "email.headers[\"Date\"]", "ttl"], "{answer}");
    assert_eq!(refusal((status, answer)), refused(400, "INVALID_ARGUMENT", "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_reseller_in_the_body_unlike_the_paths_is_a_field_error() {
    let service = ready().await;
    for (path, body) in
        [(MESSAGES, a_mail(json!({"reseller": "globex"}))), (TEST, json!({"reseller": "globex"}))]
    {
        let (status, answer) = posts(&service, path, body.to_string()).await;
        assert_eq!((status, fields(&answer)), (400, vec!["reseller"]), "{answer}");
    }
    let candidate = json!({"candidate": {"reseller": "globex"}});
    let (_, answer) = posts(&service, TEST, candidate.to_string()).await;
    assert_eq!(fields(&answer), ["candidate.reseller"]);
}

#[tokio::test]
async fn the_same_keys_open_it_and_nothing_is_read_before() {
    let service = ready().await;
    let unauthenticated = refused(401, "UNAUTHENTICATED", "UNAUTHENTICATED");
    let denied = refused(403, "PERMISSION_DENIED", "ACCESS_DENIED");
    for path in [MESSAGES, TEST] {
        let without = request(&service, Method::POST, path).body("no JSON");
        assert_eq!(refusal(answer(without).await), unauthenticated, "{path}");
        let wrong = request(&service, Method::POST, path).bearer_auth("pr_abc_def").body("{}");
        assert_eq!(refusal(answer(wrong).await), unauthenticated, "{path}");
    }
    let (_, reader) = service.admin().with_key(&[Scope::Read], &[]).await;
    let (_, globex) = service.admin().with_key(&[Scope::Send], &["globex"]).await;
    for key in [reader.key(), globex.key()] {
        let send = request(&service, Method::POST, MESSAGES).bearer_auth(key).body("no JSON");
        assert_eq!(refusal(answer(send).await), denied);
    }
    let look = request(&service, Method::GET, &format!("{MESSAGES}/x")).bearer_auth(globex.key());
    assert_eq!(refusal(answer(look).await), denied);
}

#[tokio::test]
async fn errors_have_the_http_status_of_their_code() {
    let service = ready().await;
    let missing = with_key(&service, Method::GET, &format!("{MESSAGES}/nothing"));
    assert_eq!(refusal(answer(missing).await), refused(404, "NOT_FOUND", "MESSAGE_NOT_FOUND"));
    let nobody = posts(&service, "/v1/resellers/nobody/messages", a_mail(json!({})).to_string()).await;
    assert_eq!(refusal(nobody), refused(400, "FAILED_PRECONDITION", "SETTINGS_MISSING"));
    service.admin().sends(mail("acme").request_id("order-1")).await;
    let other = posts(&service, MESSAGES, a_mail(json!({"requestId": "order-1"})).to_string()).await;
    assert_eq!(refusal(other), refused(409, "ALREADY_EXISTS", "REQUEST_ID_REUSED"));
    for (method, path) in [(Method::DELETE, MESSAGES), (Method::GET, "/v1/resellers/acme/invoices")] {
        let nothing = with_key(&service, method, path);
        assert_eq!(refusal(answer(nothing).await), refused(501, "UNIMPLEMENTED", "UNIMPLEMENTED"), "{path}");
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again_in_a_header_too() {
    let service = given().service().with("limits.queued_messages_per_reseller", "1").starts().await;
    let in_an_hour = jiff::Timestamp::from_second(from_now(Duration::from_hours(1)).seconds).unwrap();
    let later = json!({"sendTime": in_an_hour.to_string()});
    assert_eq!(posts(&service, MESSAGES, a_mail(later.clone()).to_string()).await.0, 200);
    let full =
        with_key(&service, Method::POST, MESSAGES).body(a_mail(later).to_string()).send().await.unwrap();
    assert_eq!(
        (full.status(), full.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::TOO_MANY_REQUESTS, "10")
    );
}

#[tokio::test]
async fn an_email_beyond_the_limit_is_told_the_limit_whether_it_is_read_or_not() {
    let service = given().service().with("limits.message_bytes", "100000").starts().await;
    let too_large = refused(400, "INVALID_ARGUMENT", "REQUEST_TOO_LARGE");
    for bytes in [150_000, 3_000_000] {
        let mut body = a_mail(json!({}));
        body["email"]["text"] = json!("x".repeat(bytes));
        let (status, answer) = posts(&service, MESSAGES, body.to_string()).await;
        let limit = answer["error"]["details"].to_string().contains(r#""limit_bytes":"100000""#);
        assert!(limit, "{bytes}: {answer}");
        assert_eq!(refusal((status, answer)), too_large, "{bytes}");
    }
}

#[tokio::test]
async fn the_documents_calls_work_as_they_stand() {
    let service = ready().await;
    let document = std::fs::read_to_string(format!("{}/docs/json.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let calls: Vec<_> = document.split("http://127.0.0.1:9464").skip(1).collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        let (path, rest) = call.split_once(" -d '").unwrap();
        let body = rest.split('\'').next().unwrap().to_owned();
        let (status, answer) = posts(&service, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    assert_eq!(service.microsoft().received_about("Your order").await.len(), 1);
}
