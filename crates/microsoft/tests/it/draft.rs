//! Large mail against a Microsoft that does as it likes: what goes to whom, and what is never sent.

use std::time::Duration;

use postrider_domain::{FindingCode, Outcome, Verdict};
use postrider_microsoft::{Deletion, Handed, SendMail};

use crate::support::{Server, Then, call, large_email, mailbox, payload, token};

const NONE_LEFT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"value\":[]}";
const MADE: &str = "HTTP/1.1 201 Created\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"id\":\"A/+\"}";
const TAKEN: &str = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const SENT: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const DELETED: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
const LOST: &str = "";

/// Its length is not told: the connection's end is its own.
fn json(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{body}")
}

fn session() -> String {
    json(
        "201 Created",
        r#"{"uploadUrl":"ORIGIN/upload/secret-part?authtoken=x","nextExpectedRanges":["0-"]}"#,
    )
}

fn next(at: usize) -> String {
    json("200 OK", &format!(r#"{{"nextExpectedRanges":["{at}"]}}"#))
}

async fn sends(answers: &[&str]) -> (Verdict, Vec<String>) {
    let (Handed { verdict, .. }, server) = hands(answers).await;
    (verdict, server.asked())
}

async fn hands(answers: &[&str]) -> (Handed, Server) {
    let server = Server::that(Then::in_turn(answers)).await;
    let (mailbox, token) = (mailbox(), token("Mail.Send"));
    let timeout = Duration::from_secs(20);
    let call = SendMail { payload: payload(&large_email()), timeout, ..call(&mailbox, &token) };
    let handed = server.microsoft().send_mail(call).await;
    (handed, server)
}

fn lines(asked: &[String]) -> Vec<&str> {
    asked.iter().filter_map(|request| request.lines().next()?.strip_suffix(" HTTP/1.1")).collect()
}

fn code(verdict: &Verdict) -> Option<FindingCode> {
    verdict.finding.as_ref().map(|finding| finding.code)
}

/// 5,000,000 bytes in two pieces.
const FIRST_END: usize = 12 * 320 * 1024;

#[tokio::test]
async fn a_draft_is_made_filled_and_sent_and_its_upload_carries_no_token() {
    let (verdict, asked) = sends(&[NONE_LEFT, MADE, &session(), &next(FIRST_END), TAKEN, SENT]).await;
    assert_eq!(verdict.outcome, Outcome::Sent, "{verdict:?}");
    let path = "/v1.0/users/sales@acme.example";
    assert_eq!(
        lines(&asked),
        [
            &format!(
                "GET {path}/mailFolders/drafts/messages?$filter=internetMessageId%20eq%20%27%3Cid%40acme%2Eexample%3E%27&$select=id"
            ),
            &format!("POST {path}/messages"),
            &format!("POST {path}/messages/A%2F%2B/attachments/createUploadSession"),
            "PUT /upload/secret-part?authtoken=x",
            "PUT /upload/secret-part?authtoken=x",
            &format!("POST {path}/messages/A%2F%2B/send"),
        ]
    );
    for (number, request) in asked.iter().enumerate() {
        let head = request.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
        assert_eq!(head.contains("authorization"), !request.starts_with("PUT"), "{number}: {head}");
        assert!(!request.starts_with("PUT") || !head.contains("client-request-id"), "{head}");
    }
    assert!(asked[3].contains(&format!("content-range: bytes 0-{}/5000000", FIRST_END - 1)));
    assert!(asked[4].contains(&format!("content-range: bytes {FIRST_END}-4999999/5000000")));
    assert!(asked[5].contains("content-length: 0"), "Graph asks for it");
}

#[tokio::test]
async fn an_upload_goes_to_no_host_but_microsofts() {
    for url in [
        "https://upload.attacker.example/",
        "https://office.com.attacker.example/",
        "https://attackeroffice.com/",
        "http://outlook.office.com/",
        "https://outlook.office.com:8443/",
        "https://outlook.office.com@attacker.example/",
        "file:///etc/passwd",
        "",
    ] {
        let session = json("201 Created", &format!(r#"{{"uploadUrl":"{url}"}}"#));
        let (verdict, asked) = sends(&[NONE_LEFT, MADE, &session, DELETED]).await;
        assert_eq!(
            (verdict.outcome, code(&verdict)),
            (Outcome::Deferred, Some(FindingCode::MicrosoftRefused))
        );
        assert_eq!(lines(&asked).last().map(|line| line.starts_with("DELETE ")), Some(true), "{url}");
        assert_eq!(asked.len(), 4);
    }
}

#[tokio::test]
async fn a_piece_whose_answer_was_lost_is_asked_for_and_not_guessed() {
    let (verdict, asked) = sends(&[NONE_LEFT, MADE, &session(), LOST, &next(FIRST_END), TAKEN, SENT]).await;
    assert_eq!(verdict.outcome, Outcome::Sent, "{verdict:?}");
    assert_eq!(lines(&asked)[4], "GET /upload/secret-part?authtoken=x");
    let (verdict, asked) =
        sends(&[NONE_LEFT, MADE, &session(), LOST, &next(0), &next(FIRST_END), TAKEN, SENT]).await;
    assert_eq!(verdict.outcome, Outcome::Sent, "{verdict:?}");
    assert!(asked[5].contains("content-range: bytes 0-"), "it had not arrived");
}

/// Otherwise a mail would go without its file, or a try would never end.
#[tokio::test]
async fn an_upload_that_goes_nowhere_or_too_far_is_given_up_and_never_sent() {
    let far = next(9_999_999);
    let back = next(0);
    for answers in [
        vec![NONE_LEFT, MADE, &session(), &far, DELETED],
        vec![NONE_LEFT, MADE, &session(), &back, &back, &back, &back, DELETED],
        vec![NONE_LEFT, MADE, &session(), LOST, &back, LOST, &back, LOST, &back, LOST, DELETED],
        vec![NONE_LEFT, MADE, &session(), TAKEN, DELETED],
    ] {
        let (verdict, asked) = sends(&answers).await;
        assert_eq!(verdict.outcome, Outcome::Deferred, "{verdict:?}");
        let lines = lines(&asked);
        assert!(!lines.iter().any(|line| line.ends_with("/send")), "{lines:?}");
        assert!(lines.last().is_some_and(|line| line.starts_with("DELETE ")), "{lines:?}");
    }
}

#[tokio::test]
async fn only_the_sending_can_be_in_doubt() {
    let whole = [NONE_LEFT, MADE, &session(), &next(FIRST_END), TAKEN, SENT];
    for lost in 0..5 {
        let (verdict, _) = sends(&whole[..lost]).await;
        assert_eq!(verdict.outcome, Outcome::Deferred, "lost at {lost}: {verdict:?}");
    }
    let (verdict, asked) = sends(&whole[..5]).await;
    assert_eq!(verdict.outcome, Outcome::InDoubt, "{verdict:?}");
    assert_eq!(lines(&asked).iter().filter(|line| line.starts_with("DELETE")).count(), 0, "left as it is");
    assert!(verdict.finding.is_some_and(|finding| finding.evidence.contains_key("draft")));
}

#[tokio::test]
async fn drafts_that_earlier_tries_left_are_deleted_first() {
    let left = json("200 OK", r#"{"value":[{"id":"old-1"},{"id":"old-2"}]}"#);
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let answers = [&left, DELETED, missing, MADE, &session(), &next(FIRST_END), TAKEN, SENT];
    let (verdict, asked) = sends(&answers).await;
    assert_eq!(verdict.outcome, Outcome::Sent, "{verdict:?}");
    assert!(
        lines(&asked)[1].ends_with("/messages/old%2D1") && lines(&asked)[2].ends_with("/messages/old%2D2")
    );
}

/// By whoever is given it, because there may be no next try.
#[tokio::test]
async fn a_draft_that_cannot_be_deleted_now_is_handed_back_to_be_deleted_later() {
    let throttled = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let rejected = json("400 Bad Request", r#"{"error":{"code":"ErrorInvalidRecipients"}}"#);
    let whole = [NONE_LEFT, MADE, &session(), &next(FIRST_END), TAKEN];
    for (end, wait) in [
        (vec![throttled], Duration::from_mins(2)),
        (vec![&rejected, throttled], Duration::from_mins(2)),
        (vec![&rejected, LOST], Duration::from_secs(5)),
    ] {
        let later = [LOST, throttled, DELETED];
        let (handed, server) = hands(&[&whole[..], &end, &later].concat()).await;
        let before = server.asked().len();
        assert_eq!(before, whole.len() + end.len(), "Retry-After is kept");
        let evidence = &handed.verdict.finding.as_ref().expect("a finding").evidence;
        assert!(evidence["draft"].contains("if it ends before"), "{evidence:?}");
        assert_eq!(handed.verdict.retry_after.unwrap_or(wait), wait);
        let left = handed.left.expect("a draft");
        assert_eq!(left.wait, wait);
        let microsoft = server.microsoft();
        assert_eq!(microsoft.delete_draft(&left).await, Deletion::Again(None));
        assert_eq!(microsoft.delete_draft(&left).await, Deletion::Again(Some(Duration::from_mins(2))));
        assert_eq!(microsoft.delete_draft(&left).await, Deletion::Done);
        let asked = server.asked();
        assert!(
            asked[before].starts_with("DELETE /v1.0/users/sales@acme.example/messages/A%2F%2B "),
            "{asked:?}"
        );
        assert!(asked[before].contains("authorization: Bearer "));
        assert!(!format!("{left:?}").contains("sales@"));
    }
}

#[tokio::test]
async fn without_the_permission_it_is_told_at_the_first_call() {
    let denied =
        json("403 Forbidden", r#"{"error":{"code":"ErrorAccessDenied","message":"Access is denied."}}"#);
    let (verdict, asked) = sends(&[&denied]).await;
    assert_eq!(
        (verdict.outcome, code(&verdict)),
        (Outcome::Rejected, Some(FindingCode::AttachmentNeedsReadWrite))
    );
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn nothing_that_is_told_shows_the_upload_url() {
    let (verdict, _) = sends(&[NONE_LEFT, MADE, &session(), LOST, LOST, DELETED]).await;
    let told = format!("{verdict:?}");
    assert!(!told.contains("secret-part") && !told.contains("authtoken"), "{told}");
}
