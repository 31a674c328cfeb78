//! What is private stays where it belongs: canaries go in through every field of every RPC and of JSON over HTTP, well formed and
//! not, and through what Microsoft answers; whatever comes out beside the replies themselves is searched for them.

use data_encoding::BASE64;
use postrider_proto::v1::{Address, Attachment, Email, PauseSendingRequest, Settings};
use postrider_sandbox::seed;
use postrider_testkit::{Service, acme_settings, address, authority, canary, mail, raw, secret};
use serde_json::json;

use crate::every_field::{every_rpc, planted};
use crate::support::{given, mortal};

/// In fields that do not parse as what they are for.
const ANYWHERE: &str = "cAn8Q~ry.that_stands-in.any~field";
const SECRET: &str = "cAn8Q~ry.of-a_client-secret~1234567890xx";
const SUBJECT: &str = "canary of a subject";
const BODY: &str = "canary of a body, read by one alone";
const FILE: &str = "canary-of-a-file-name.txt";
const RECIPIENT: &str = "canary-of-a-recipient@customer.example";
const NAME: &str = "Canary of a Display Name";
const HEADER: &str = "canary-of-a-header";
/// Of the settings, which lie in the clear.
const SEND_AS: &str = "canary-of-another-sender@acme.example";
/// Quoted by Microsoft in an error. Evidence has it, so that the address can be found and corrected, and lies in the clear.
const QUOTED: &str = "canary-that-microsoft-quotes@customer.example";

const MAIL: [&str; 6] = [SUBJECT, BODY, FILE, RECIPIENT, NAME, HEADER];

/// What came out beside the replies to calls that went well.
#[derive(Default)]
struct Out(Vec<(String, String)>);

impl Out {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn holds_none_of(&self, canaries: &[&str]) {
        for (place, text) in &self.0 {
            for hidden in canaries {
                assert!(!canary::is_in(hidden, text.as_bytes()), "{hidden} stands in {place}: {text}");
            }
        }
    }
}

/// Every field of every RPC is the canary, shown with a key that works, none, and one that is the canary itself.
async fn every_rpc_is_called_with_it(service: &Service, out: &mut Out) {
    let keys = [Some(authority(service.admin().key())), None, Some(authority(&format!("pr_{ANYWHERE}")))];
    let texts =
        [ANYWHERE.to_owned(), format!("{ANYWHERE}\r\nBcc: x"), format!("{ANYWHERE}@customer.example")];
    for (path, request) in every_rpc() {
        let mut refused = 0;
        for body in texts.iter().flat_map(|text| planted(&request, text)) {
            for key in keys.clone() {
                if let Err(status) = raw::call(service.admin(), key, &path, body.clone()).await {
                    let details = String::from_utf8_lossy(status.details()).into_owned();
                    out.add(format!("the error of {path}"), format!("{status:?} {details}"));
                    refused += 1;
                }
            }
        }
        assert!(refused >= 2 * texts.len(), "{path}: only {refused} calls were refused");
        let broken = [b"\xff\xff".as_slice(), ANYWHERE.as_bytes()].concat();
        let status = raw::call(service.admin(), keys[0].clone(), &path, broken).await.unwrap_err();
        out.add(format!("what {path} says of no protobuf"), format!("{status:?}"));
    }
}

async fn posts(service: &Service, path: &str, key: &str, body: String) -> String {
    let request =
        reqwest::Client::default().post(format!("http://{}{path}", service.http())).bearer_auth(key);
    request.body(body).send().await.unwrap().text().await.unwrap()
}

/// By JSON over HTTP: a field that is unknown, one of another type, no JSON at all, a key of nobody's, a path of its own.
async fn json_is_posted_with_it(service: &Service, out: &mut Out) {
    let (messages, test) = ("/v1/resellers/acme/messages", "/v1/resellers/acme/settings:test");
    let admin = service.admin().key();
    let bodies = [
        json!({ANYWHERE: 1}).to_string(),
        json!({"wait_for": ANYWHERE, "email": {"to": ANYWHERE}}).to_string(),
        json!({"email": {"to": [{"address": ANYWHERE}], "subject": format!("{ANYWHERE}\n"), "text": "x"}})
            .to_string(),
        json!({"candidate": {"tenant_id": ANYWHERE, "client_secret": {"value": 5}}, "x": ANYWHERE})
            .to_string(),
        format!("{{\"email\": {ANYWHERE}"),
    ];
    for path in [messages, test, &format!("/v1/{ANYWHERE}")] {
        for body in &bodies {
            for key in [admin, ANYWHERE] {
                out.add(format!("the answer of {path}"), posts(service, path, key, body.clone()).await);
            }
        }
    }
    let candidate = json!({"candidate": {
        "tenantId": seed::TENANT_ID, "clientId": seed::CLIENT_ID, "senderMailbox": seed::MAILBOX,
        "clientSecret": {"value": SECRET},
    }});
    out.add("the answer of a test by JSON", posts(service, test, admin, candidate.to_string()).await);
}

fn private() -> Email {
    let recipient = Address { display_name: NAME.to_owned(), ..address(RECIPIENT) };
    Email {
        to: vec![recipient.clone()],
        bcc: vec![recipient.clone()],
        reply_to: vec![recipient],
        subject: SUBJECT.to_owned(),
        text: BODY.to_owned(),
        html: format!("<p>{BODY}</p>"),
        headers: [("List-Unsubscribe".to_owned(), format!("<https://customer.example/{HEADER}>"))].into(),
        attachments: vec![Attachment {
            file_name: FILE.to_owned(),
            content_type: "text/plain".to_owned(),
            content: BODY.as_bytes().into(),
            ..Attachment::default()
        }],
        ..Email::default()
    }
}

/// Sent, refused, put off, left in doubt and cut off: each way that a mail can go.
async fn private_mail_goes_every_way(service: &Service, out: &mut Out) {
    let microsoft = service.microsoft();
    let refuses = |code: &str| json!({"times": 1, "status": 400, "code": code, "message": QUOTED});
    let asks =
        |aadsts: u32| json!({"times": 1, "call": "token", "status": 401, "aadsts": aadsts, "error": QUOTED});
    let ways = [
        None,
        Some(("answer", refuses("ErrorInvalidRecipients"))),
        Some(("answer", refuses("SomethingUnheardOf"))),
        Some(("answer", json!({"times": 1, "status": 403, "code": "ErrorSendAsDenied", "message": QUOTED}))),
        Some(("reset-after-body", json!({"times": 1}))),
        Some(("500-empty", json!({"times": 1}))),
        Some(("503-html", json!({"times": 1}))),
        Some(("200-not-202", json!({"times": 1}))),
        Some(("throttle-retry-after", json!({"times": 1, "retry_after": 1}))),
        Some(("answer", asks(7_000_215))),
    ];
    for way in ways {
        service.admin().puts(acme_settings()).await;
        if let Some((scenario, more)) = way {
            microsoft.plays(scenario, seed::MAILBOX, more).await;
        }
        let request = mail("acme").at_most_once().with(|email| *email = private()).waiting_for_sent();
        let waiting = std::time::Duration::from_secs(2);
        let mut request = tonic::Request::new(request.request);
        request.set_timeout(waiting);
        if let Err(status) = service.admin().mail().send_mail(request).await {
            out.add("the error of a mail", format!("{status:?}"));
        }
        microsoft.forgets_scenarios().await;
    }
    let by_json = json!({"waitFor": "WAIT_FOR_SENT", "email": {
        "to": [{"address": RECIPIENT, "displayName": NAME}], "subject": SUBJECT, "text": BODY,
        "attachments": [{"fileName": FILE, "contentType": "text/plain", "content": BASE64.encode(BODY.as_bytes())}],
    }});
    let answer =
        posts(service, "/v1/resellers/acme/messages", service.admin().key(), by_json.to_string()).await;
    assert!(answer.contains(SUBJECT), "a reply to its sender has it: {answer}");
}

#[tokio::test]
async fn canaries_stand_in_no_log_no_metric_no_error_and_no_file() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service =
        mortal(&world, &microsoft).with("log.level", "trace").with("telemetry.reseller_labels", "true");
    let mut service = service.starts().await.with_acme().await;
    let mut out = Out::default();

    private_mail_goes_every_way(&service, &mut out).await;
    every_rpc_is_called_with_it(&service, &mut out).await;
    json_is_posted_with_it(&service, &mut out).await;
    let wrong =
        Settings { credential: Some(secret(SECRET)), send_as: vec![SEND_AS.to_owned()], ..acme_settings() };
    service.admin().puts(wrong).await;
    service.admin().tests("acme", None).await;
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: ANYWHERE.to_owned() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    service.admin().puts(acme_settings()).await;
    service.admin().sends(mail("acme").with(|email| *email = private())).await;
    let (code, metrics) = service.page("/metrics").await;
    assert!(code == 200 && metrics.contains("acme"), "{metrics}");
    out.add("/metrics", metrics);
    out.add("the audit", service.cli(&["audit", "--output", "json"]).await.stdout);

    service.is_killed().await;

    out.add("standard output", service.stdout());
    out.add("standard error", service.stderr());
    assert!(service.stderr().contains("message_accepted"), "at the level trace something is logged");
    out.holds_none_of(&[&MAIL[..], &[ANYWHERE, SECRET, QUOTED, SEND_AS, seed::SECRET]].concat());
    // Of mail that is sent, that is refused and that waits; tables, free pages and the write-ahead log.
    for hidden in [&MAIL[..], &[SECRET, seed::SECRET]].concat() {
        let files = canary::files_with(hidden, service.data_dir());
        assert!(files.is_empty(), "{hidden} stands in {files:?}");
    }
    assert!(
        !canary::files_with(QUOTED, service.data_dir()).is_empty(),
        "what lies there in the clear is found"
    );
}
