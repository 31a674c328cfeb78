//! What cannot be sent is refused before anything is stored, with every field that is wrong at once.

use std::time::Duration;

use postrider_proto::v1::{
    Address, Attachment, GetMessageRequest, ListMessagesRequest, ListSettingsRequest, SendMailRequest,
};
use postrider_testkit::{Refusal, Service, address, authority, from_now, mail, raw, violations};
use tonic::Code;

use crate::support::ready;

const SEND_MAIL: &str = "/postrider.v1.MailService/SendMail";
/// Bytes of a serialized email, by the contract.
const LIMIT_BYTES: usize = 36_700_160;

async fn refused(service: &Service, mail: impl Into<SendMailRequest>) -> Refusal {
    let refused = Refusal::of(&service.admin().tries(mail).await.unwrap_err());
    assert_eq!(refused.kind(), (Code::InvalidArgument, "INVALID_REQUEST"), "{refused:#?}");
    refused
}

async fn assert_nothing_is_stored(service: &Service) {
    assert!(service.admin().messages("acme").await.is_empty());
    assert!(service.microsoft().received().await.is_empty());
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once_by_its_path() {
    let service = ready().await;
    let wrong = mail("acme")
        .about("two\r\nlines")
        .request_id("not visible ascii: \u{e4}")
        .labelled("", "x")
        .living(Duration::ZERO)
        .with(|email| {
            email.to = vec![
                Address {
                    address: "ann@customer.example".to_owned(),
                    display_name: "Ann\r\nBcc: eve@x.example".to_owned(),
                },
                address("no address"),
            ];
            email.cc = vec![address("two@at@signs")];
            email.text.clear();
            email.reply_to = vec![address("")];
            email.headers.insert("x-foo".to_owned(), "a\r\nBcc: eve@x.example".to_owned());
            email.headers.insert("Subject".to_owned(), "another".to_owned());
            email.importance = 99;
        });
    let mut request: SendMailRequest = wrong.into();
    request.priority = 77;
    request.in_doubt = 66;
    request.wait_for = 55;

    let refused = refused(&service, request).await;

    for path in [
        "email.subject",
        "email.to[0].display_name",
        "email.to[1].address",
        "email.cc[0].address",
        "email.reply_to[0].address",
        "email.headers[\"x-foo\"]",
        "email.headers[\"Subject\"]",
        "email.importance",
        "request_id",
        "ttl",
        "priority",
        "in_doubt",
        "wait_for",
    ] {
        assert!(refused.fields.iter().any(|field| field == path), "{path} is not in {:#?}", refused.fields);
    }
    assert!(refused.fields.iter().any(|field| field.starts_with("labels")), "{:#?}", refused.fields);
    assert!(
        refused.fields.iter().any(|field| field == "email.text" || field == "email"),
        "{:#?}",
        refused.fields
    );
    assert_nothing_is_stored(&service).await;
}

/// Each line break that a reader somewhere takes for one, in each field that becomes a part of a header.
#[tokio::test]
async fn no_field_can_become_a_header_of_its_own() {
    let service = ready().await;
    for line_break in ["\r\n", "\n", "\r", "\0", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}"] {
        let hostile = format!("a{line_break}Bcc: eve@x.example");
        let wrong = mail("acme").about(&hostile).with(|email| {
            email.to[0].display_name.clone_from(&hostile);
            email.cc = vec![address(&format!("{hostile}@x.example"))];
            email.headers.insert("x-one".to_owned(), hostile.clone());
            email.headers.insert(format!("x-two{line_break}Bcc"), "eve@x.example".to_owned());
            email.attachments = vec![Attachment {
                file_name: hostile.clone(),
                content_type: format!("text/plain; name=\"{hostile}\""),
                content: b"a".to_vec().into(),
                content_id: hostile.clone(),
            }];
        });
        let refused = refused(&service, wrong).await;
        for path in [
            "email.subject",
            "email.to[0].display_name",
            "email.cc[0].address",
            "email.headers[\"x-one\"]",
            "email.headers[\"x-twoBcc\"]",
            "email.attachments[0].file_name",
            "email.attachments[0].content_type",
            "email.attachments[0].content_id",
        ] {
            let is_told = refused.fields.iter().any(|field| field == path);
            assert!(is_told, "{path} with {line_break:?} is not in {:#?}", refused.fields);
        }
    }
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn a_content_type_is_one_type_with_whole_parameters() {
    let service = ready().await;
    let typed = |content_type: &str| {
        mail("acme").with(|email| {
            email.attachments = vec![Attachment {
                file_name: "a.txt".to_owned(),
                content_type: content_type.to_owned(),
                content: b"a".to_vec().into(),
                content_id: String::new(),
            }];
        })
    };
    for wrong in ["pdf", "text/plain; charset", "text/plain; a=\"b", "text/plain, text/html"] {
        let refused = refused(&service, typed(wrong)).await;
        assert_eq!(refused.fields, ["email.attachments[0].content_type"], "{wrong}");
    }
    service.admin().sends(typed("text/calendar; method=REQUEST; charset=\"utf-8\"")).await;
}

#[tokio::test]
async fn five_hundred_recipients_are_taken_and_one_more_is_not() {
    let service = ready().await;
    let crowd = |count: usize| {
        mail("acme").with(|email| {
            let all = |name: &str, count: usize| {
                (0..count).map(|number| address(&format!("{name}{number}@customer.example"))).collect()
            };
            (email.to, email.cc) = (all("to", 100), all("cc", 100));
            email.bcc = all("bcc", count - 200);
        })
    };
    let refused = refused(&service, crowd(501)).await;
    assert!(refused.fields.iter().all(|field| field.starts_with("email")), "{refused:#?}");
    assert_nothing_is_stored(&service).await;
    assert_eq!(service.admin().sends(crowd(500)).await.recipient_count, 500);
}

#[tokio::test]
async fn a_mail_to_nobody_or_without_a_body_is_refused() {
    let service = ready().await;
    let nobody = refused(&service, mail("acme").with(|email| email.to.clear())).await;
    assert_eq!(nobody.fields, ["email.to"]);
    let empty = refused(&service, mail("acme").with(|email| email.text.clear())).await;
    assert_eq!(empty.fields.len(), 1, "{empty:#?}");
    let none =
        refused(&service, SendMailRequest { reseller: "acme".to_owned(), ..SendMailRequest::default() })
            .await;
    assert_eq!(none.fields, ["email"]);
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn a_sender_that_the_settings_do_not_name_is_a_field_error() {
    let service = ready().await;
    let stranger = mail("acme").with(|email| email.from = Some(address("ceo@customer.example")));
    let refused = refused(&service, stranger).await;
    assert!(refused.fields[0].starts_with("email.from"), "{refused:#?}");
    assert_nothing_is_stored(&service).await;
    let own = mail("acme").waiting_for_sent().with(|email| email.from = Some(address("sales@acme.example")));
    service.admin().sends(own).await;
    let named = mail("acme").with(|email| email.from = Some(address("support@acme.example")));
    service.admin().sends(named).await;
}

fn with_attachment(bytes: usize) -> postrider_testkit::Mail {
    mail("acme").with(|email| {
        email.attachments = vec![Attachment {
            file_name: "plan.bin".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            content: vec![7; bytes].into(),
            content_id: String::new(),
        }];
    })
}

#[tokio::test]
async fn a_mail_beyond_the_limit_is_told_the_limit() {
    let service = ready().await;
    for bytes in [LIMIT_BYTES, LIMIT_BYTES + 8 * 1024 * 1024] {
        let status = service.admin().tries(with_attachment(bytes)).await.unwrap_err();
        let refused = Refusal::of(&status);
        assert_eq!(refused.kind(), (Code::InvalidArgument, "REQUEST_TOO_LARGE"), "{bytes} bytes");
        assert_eq!(refused.metadata["limit_bytes"], LIMIT_BYTES.to_string());
    }
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn bytes_that_are_no_request_are_undecodable() {
    let service = ready().await;
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\x0a\x7f", b"\x0a\x02\xff\xfe"] {
        let key = Some(authority(service.admin().key()));
        let status = raw::call(service.admin(), key, SEND_MAIL, bytes.to_vec()).await.unwrap_err();
        assert_eq!(Refusal::of(&status).kind(), (Code::InvalidArgument, "UNDECODABLE"), "{bytes:?}");
    }
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn waiting_for_sent_with_a_time_to_send_is_a_field_error() {
    let service = ready().await;
    let later = from_now(Duration::from_hours(1));
    let refused = refused(&service, mail("acme").at(later).waiting_for_sent()).await;
    assert_eq!(refused.fields, ["wait_for"]);
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn an_expiry_that_has_come_before_the_mail_may_go_is_a_field_error() {
    let service = ready().await;
    let (past, soon, later) = (
        prost_types::Timestamp { seconds: 1, nanos: 0 },
        from_now(Duration::from_mins(1)),
        from_now(Duration::from_mins(2)),
    );
    let refused_fields =
        async |mail: postrider_testkit::Mail| violations(&service.admin().tries(mail).await.unwrap_err());
    assert_eq!(refused_fields(mail("acme").expiring_at(past)).await, ["expire_time"]);
    assert_eq!(refused_fields(mail("acme").at(later).expiring_at(soon)).await, ["expire_time"]);
    let mut negative: SendMailRequest = mail("acme").into();
    let ttl = prost_types::Duration { seconds: -1, nanos: 0 };
    negative.expiration = Some(postrider_proto::v1::send_mail_request::Expiration::Ttl(ttl));
    assert_eq!(refused(&service, negative).await.fields, ["ttl"]);
    assert_nothing_is_stored(&service).await;
}

#[tokio::test]
async fn time_to_live_and_the_default_count_from_the_time_to_send() {
    let service = ready().await;
    let later = from_now(Duration::from_hours(1));
    let short = service.admin().sends(mail("acme").at(later).living(Duration::from_mins(1))).await;
    assert_eq!(short.expire_time.unwrap().seconds, later.seconds + 60);
    let default = service.admin().sends(mail("acme").at(later)).await;
    assert_eq!(default.expire_time.unwrap().seconds, later.seconds + 3 * 24 * 3_600);
    let past = prost_types::Timestamp { seconds: 1, nanos: 0 };
    let now = service.admin().sends(mail("acme").at(past)).await;
    assert_ne!(now.state(), postrider_proto::v1::MessageState::Scheduled, "a past send_time means now");
}

#[tokio::test]
async fn a_resellers_name_is_checked_for_whoever_may_name_any() {
    let service = ready().await;
    for name in ["", "Acme", "a b", "-acme", &"a".repeat(64)] {
        assert_eq!(refused(&service, mail(name)).await.fields, ["reseller"], "{name:?}");
    }
    let missing = Refusal::of(&service.admin().tries(mail("nobody-yet")).await.unwrap_err());
    assert_eq!(missing.kind(), (Code::FailedPrecondition, "SETTINGS_MISSING"));
    assert!(missing.further.contains(&"PreconditionFailure".to_owned()), "{missing:#?}");
}

#[tokio::test]
async fn page_sizes_and_page_tokens_are_checked() {
    let service = ready().await;
    for (page_size, page_token, path) in [(-1, "", "page_size"), (0, "no token of ours", "page_token")] {
        let page_token = page_token.to_owned();
        let messages = ListMessagesRequest {
            reseller: "acme".to_owned(),
            page_size,
            page_token: page_token.clone(),
            ..ListMessagesRequest::default()
        };
        let status = service.admin().mail().list_messages(messages).await.unwrap_err();
        assert_eq!(violations(&status), [path]);
        let settings = ListSettingsRequest { page_size, page_token, ..ListSettingsRequest::default() };
        let status = service.admin().settings().list_settings(settings).await.unwrap_err();
        assert_eq!(violations(&status), [path]);
    }
    let states = ListMessagesRequest {
        reseller: "acme".to_owned(),
        states: vec![99],
        ..ListMessagesRequest::default()
    };
    let status = service.admin().mail().list_messages(states).await.unwrap_err();
    assert_eq!(violations(&status), ["states[0]"]);
}

#[tokio::test]
async fn pages_go_through_all_messages_once_and_filters_hold() {
    let service = ready().await;
    for number in 0..5 {
        let team = if number % 2 == 0 { "blue" } else { "red" };
        let one = mail("acme").about(&format!("offer {number}")).labelled("team", team).waiting_for_sent();
        service.admin().sends(one).await;
    }
    let mut request =
        ListMessagesRequest { reseller: "acme".to_owned(), page_size: 2, ..ListMessagesRequest::default() };
    let mut subjects = Vec::new();
    loop {
        let page = service.admin().mail().list_messages(request.clone()).await.unwrap().into_inner();
        assert!(page.messages.len() <= 2);
        subjects.extend(page.messages.into_iter().map(|message| message.subject));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    subjects.sort();
    assert_eq!(subjects, ["offer 0", "offer 1", "offer 2", "offer 3", "offer 4"]);
    let blue = ListMessagesRequest {
        reseller: "acme".to_owned(),
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        states: vec![postrider_proto::v1::MessageState::Sent.into()],
        ..ListMessagesRequest::default()
    };
    assert_eq!(service.admin().mail().list_messages(blue).await.unwrap().into_inner().messages.len(), 3);
}

#[tokio::test]
async fn a_message_that_is_not_there_is_not_found_whatever_its_id_looks_like() {
    let service = ready().await;
    for message_id in ["0198b3a0-0000-7000-8000-000000000000", "anything"] {
        let request = GetMessageRequest { reseller: "acme".to_owned(), message_id: message_id.to_owned() };
        let refused = Refusal::of(&service.admin().mail().get_message(request).await.unwrap_err());
        assert_eq!(refused.kind(), (Code::NotFound, "MESSAGE_NOT_FOUND"), "{message_id}");
    }
}
