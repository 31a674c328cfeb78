//! Upload sessions: sizes, ranges, breaks, and what is left of them.

use data_encoding::BASE64;
use mail_parser::MessageParser;
use postrider_sandbox::seed::{MAILBOX, READ_WRITE_CLIENT_ID};
use serde_json::json;

use crate::harness::{Answer, Running, sandbox};

const SIZE: usize = 5_000_000;

struct Session {
    sandbox: Running,
    token: String,
    draft: String,
    url: String,
}

impl Session {
    async fn begin() -> Session {
        let sandbox = sandbox().await;
        let token = sandbox.token_of(READ_WRITE_CLIENT_ID).await;
        let draft = sandbox.draft(&token).await;
        let answer = ask(&sandbox, &token, &draft, SIZE).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.json()["nextExpectedRanges"], json!(["0-"]));
        let url = answer.json()["uploadUrl"].as_str().unwrap().to_owned();
        Session { sandbox, token, draft, url }
    }

    async fn put(&self, range: &str, bytes: Vec<u8>) -> Answer {
        let request = self.sandbox.client.put(&self.url).header("content-range", range).body(bytes);
        Answer::of(request.send().await.unwrap()).await
    }
}

async fn ask(sandbox: &Running, token: &str, draft: &str, size: usize) -> Answer {
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "plan.pdf", "size": size}});
    let path = format!("/messages/{draft}/attachments/createUploadSession");
    sandbox.graph("POST", token, &path, Some(item)).await
}

#[tokio::test]
async fn pieces_arrive_in_order_and_the_last_makes_a_file_of_them() {
    let session = Session::begin().await;
    let content: Vec<u8> = (0..SIZE).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let first = session.put("bytes 0-2999999/5000000", content[..3_000_000].to_vec()).await;
    assert_eq!((first.status.as_u16(), &first.json()["nextExpectedRanges"]), (200, &json!(["3000000"])));
    let asked = Answer::of(session.sandbox.client.get(&session.url).send().await.unwrap()).await;
    assert_eq!(asked.json()["nextExpectedRanges"], json!(["3000000"]));
    let again = session.put("bytes 0-2999999/5000000", content[..3_000_000].to_vec()).await;
    assert_eq!(again.status, 416, "it has that");
    let last = session.put("bytes 3000000-4999999/5000000", content[3_000_000..].to_vec()).await;
    assert_eq!((last.status.as_u16(), last.text.as_str()), (201, ""));
    assert!(last.header("location").unwrap().contains("/attachments('"));
    assert_eq!(session.put("bytes 0-3/5000000", b"late".to_vec()).await.status, 404, "the session is over");

    let path = format!("/messages/{}/send", session.draft);
    assert_eq!(session.sandbox.graph("POST", &session.token, &path, None).await.status, 202);
    let raw = session.sandbox.messages().await[0]["raw"].as_str().unwrap().to_owned();
    let raw = BASE64.decode(raw.as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(parsed.attachments().next().unwrap().contents(), content);
}

#[tokio::test]
async fn a_range_that_does_not_fit_is_refused() {
    let session = Session::begin().await;
    for (range, status) in [
        ("bytes 10-13/5000000", 416),
        ("bytes 0-9/5000000", 400),
        ("bytes 0-3/4000000", 400),
        ("bytes 3-0/5000000", 400),
        ("bytes 0-3", 400),
        ("", 400),
    ] {
        assert_eq!(session.put(range, b"abcd".to_vec()).await.status, status, "{range}");
    }
    let large = session.put("bytes 0-4999999/5000000", vec![0; SIZE]).await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn a_file_below_3_mb_has_no_session_and_one_over_150_mb_neither() {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(READ_WRITE_CLIENT_ID).await;
    let draft = sandbox.draft(&token).await;
    let small = ask(&sandbox, &token, &draft, 2_999_999).await;
    assert_eq!(small.refusal().1, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize");
    assert_eq!(ask(&sandbox, &token, &draft, 200 << 20).await.status, 413);
    assert_eq!(ask(&sandbox, &token, "unknown", SIZE).await.status, 404);
}

#[tokio::test]
async fn a_session_ends_when_it_is_cancelled_and_with_its_draft() {
    let session = Session::begin().await;
    let cancelled = session.sandbox.client.delete(&session.url).send().await.unwrap();
    assert_eq!(cancelled.status(), 204);
    assert_eq!(session.put("bytes 0-3/5000000", b"abcd".to_vec()).await.status, 404);
    let session = Session::begin().await;
    let path = format!("/messages/{}", session.draft);
    assert_eq!(session.sandbox.graph("DELETE", &session.token, &path, None).await.status, 204);
    assert_eq!(session.put("bytes 0-3/5000000", b"abcd".to_vec()).await.status, 404);
}

#[tokio::test]
async fn a_piece_whose_answer_is_lost_has_arrived_or_not_as_the_scenario_says() {
    let session = Session::begin().await;
    for (delivered, next) in [(false, "0"), (true, "4")] {
        let scenario = json!({
            "mailbox": MAILBOX, "scenario": "reset-after-body", "call": "upload", "times": 1, "delivered": delivered,
        });
        session.sandbox.scenario(scenario).await;
        let put = session.sandbox.client.put(&session.url).header("content-range", "bytes 0-3/5000000");
        assert!(put.body("abcd").send().await.is_err());
        let asked = Answer::of(session.sandbox.client.get(&session.url).send().await.unwrap()).await;
        assert_eq!(asked.json()["nextExpectedRanges"], json!([next]));
    }
}

#[tokio::test]
async fn a_message_larger_than_its_mailbox_sends_is_refused_when_it_is_sent() {
    let sandbox = sandbox().await;
    let directory = json!({
        "apps": [{
            "client_id": READ_WRITE_CLIENT_ID,
            "secrets": [{"value": postrider_sandbox::seed::SECRET}],
            "roles": ["Mail.Send", "Mail.ReadWrite"],
        }],
        "mailboxes": [{"address": MAILBOX, "message_bytes_max": 1_000}],
    });
    assert_eq!(sandbox.put_directory(postrider_sandbox::seed::TENANT_ID, directory).await.status, 204);
    let token = sandbox.token_of(READ_WRITE_CLIENT_ID).await;
    let draft = sandbox.draft(&token).await;
    let file = json!({"name": "a", "contentBytes": BASE64.encode(&[0; 1_001])});
    let path = format!("/messages/{draft}/attachments");
    assert_eq!(sandbox.graph("POST", &token, &path, Some(file)).await.status, 201);
    let sent = sandbox.graph("POST", &token, &format!("/messages/{draft}/send"), None).await;
    assert_eq!(sent.refusal(), (413, "ErrorMessageSizeExceeded".to_owned()));
    assert!(sandbox.messages().await.is_empty());
    assert_eq!(sandbox.graph("DELETE", &token, &format!("/messages/{draft}"), None).await.status, 204);
}
