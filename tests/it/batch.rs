//! A batch: each mail by itself with a status of its own, or all or none.

use postrider_proto::v1::batch_send_mail_result::Result as Of;
use postrider_proto::v1::{
    BatchSendMailRequest, BatchSendMailResponse, BatchSendMailResult, Message, MessageState, Settings,
    WaitFor,
};
use postrider_testkit::{Client, Mail, Refusal, acme_settings, mail};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{given, ready};

async fn sends(client: &Client, atomic: bool, mails: Vec<Mail>) -> Result<BatchSendMailResponse, Status> {
    let requests = mails.into_iter().map(|mail| mail.request).collect();
    let request = BatchSendMailRequest { reseller: "acme".to_owned(), requests, atomic };
    client.mail().batch_send_mail(request).await.map(tonic::Response::into_inner)
}

fn message(result: &BatchSendMailResult) -> &Message {
    match &result.result {
        Some(Of::Message(message)) => message,
        other => panic!("no message: {other:?}"),
    }
}

/// The status of an item, read as that of a call is.
fn refusal(result: &BatchSendMailResult) -> Refusal {
    let Some(Of::Status(status)) = &result.result else { panic!("no status: {result:?}") };
    let details = status.encode_to_vec().into();
    Refusal::of(&Status::with_details(Code::from(status.code), status.message.clone(), details))
}

fn item() -> Mail {
    let mut item = mail("acme");
    item.request.reseller.clear();
    item
}

fn nobodys() -> Mail {
    item().with(|email| email.to.clear())
}

#[tokio::test]
async fn each_item_is_accepted_or_refused_by_itself_and_in_its_order() {
    let service = ready().await;
    service.admin().sends(mail("acme").request_id("taken").about("first")).await;
    let mails = vec![
        item().about("one"),
        nobodys(),
        item().about("other").request_id("taken"),
        mail("acme").about("first").request_id("taken"),
        item().about("five"),
    ];

    let results = sends(service.admin(), false, mails).await.unwrap().results;

    assert_eq!(results.len(), 5);
    assert_eq!(
        (message(&results[0]).subject.as_str(), message(&results[4]).subject.as_str()),
        ("one", "five")
    );
    let invalid = refusal(&results[1]);
    assert_eq!(invalid.kind(), (Code::InvalidArgument, "INVALID_REQUEST"));
    assert_eq!(invalid.fields, ["requests[1].email.to"]);
    assert_eq!(refusal(&results[2]).kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    let replayed: Vec<_> = results.iter().map(|result| result.replayed).collect();
    assert_eq!(replayed, [false, false, false, true, false]);
    for sent in [&results[0], &results[4]] {
        service.admin().reaches(message(sent), MessageState::Sent).await;
    }
    assert_eq!(service.admin().messages("acme").await.len(), 3);
}

#[tokio::test]
async fn a_batch_goes_in_its_order_and_the_first_of_equal_request_ids_is_the_one() {
    let service = ready().await;
    for round in 0..5 {
        let name = format!("round-{round}");
        let one = |about: &str| item().about(about).request_id(&name);
        let mut mails: Vec<_> = (0..20).map(|n| item().about(&format!("{n}"))).collect();
        mails.extend([one("first"), one("second"), one("third"), item().about("last")]);

        let results = sends(service.admin(), false, mails).await.unwrap().results;

        assert_eq!(message(&results[20]).subject, "first");
        for result in &results[21..23] {
            assert_eq!(refusal(result).kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
        }
        let accepted = results.iter().filter(|result| matches!(result.result, Some(Of::Message(_))));
        let ids: Vec<_> = accepted.map(|result| message(result).message_id.clone()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
}

#[tokio::test]
async fn large_batches_leave_room_for_the_mail_of_others() {
    let service = ready().await;
    let admin = service.admin();
    admin.puts(Settings { reseller: "bolt".to_owned(), ..acme_settings() }).await;
    let batches: Vec<_> = (0..3).map(|_| (0..600).map(|_| item()).collect()).collect();
    let all = futures::future::join_all(batches.into_iter().map(|mails| sends(admin, false, mails)));
    let mut others = 0;
    let sending = async {
        loop {
            admin.sends(mail("bolt")).await;
            others += 1;
        }
    };

    let batches = tokio::select! {
        biased;
        batches = all => batches,
        never = sending => never,
    };

    assert!(others > 0, "nobody else sent meanwhile");
    let results = batches.into_iter().flat_map(|batch| batch.unwrap().results);
    assert_eq!(results.filter(|result| matches!(result.result, Some(Of::Message(_)))).count(), 1_800);
}

#[tokio::test]
async fn twins_in_one_batch_are_one_message() {
    let service = ready().await;
    for (atomic, id) in [(false, "each"), (true, "all")] {
        let twin = || item().request_id(id);
        let results = sends(service.admin(), atomic, vec![twin(), twin()]).await.unwrap().results;
        assert_eq!(message(&results[0]).message_id, message(&results[1]).message_id, "atomic: {atomic}");
        assert_eq!(results.iter().filter(|result| result.replayed).count(), 1, "atomic: {atomic}");
    }
    assert_eq!(service.admin().messages("acme").await.len(), 2);
    let again = sends(service.admin(), true, vec![item().request_id("all"), item().request_id("new")]);
    let again = again.await.unwrap().results;
    assert_eq!(again.iter().map(|result| result.replayed).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn an_atomic_batch_with_bad_input_stores_nothing_and_tells_the_fields_of_all_items() {
    let service = ready().await;
    let mails = vec![item(), nobodys(), item().about("two\nlines"), nobodys().about("three\nlines")];

    let refused = Refusal::of(&sends(service.admin(), true, mails).await.unwrap_err());

    assert_eq!(refused.kind(), (Code::InvalidArgument, "INVALID_REQUEST"));
    let fields = [
        "requests[1].email.to",
        "requests[2].email.subject",
        "requests[3].email.to",
        "requests[3].email.subject",
    ];
    assert_eq!(refused.fields, fields);
    assert!(service.admin().messages("acme").await.is_empty());
}

#[tokio::test]
async fn an_atomic_batch_fails_with_the_reason_of_the_first_item_that_is_refused() {
    let service = ready().await;
    service.admin().sends(mail("acme").request_id("taken")).await;
    let mails = vec![item().about("new"), item().about("other").request_id("taken")];

    let refused = Refusal::of(&sends(service.admin(), true, mails).await.unwrap_err());

    assert_eq!(refused.kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!(service.admin().messages("acme").await.len(), 1);
    assert!(service.microsoft().received_about("new").await.is_empty());
    // Two contents under one new id refuse each other, too.
    let mails = vec![item().request_id("one"), item().about("other").request_id("one")];
    let refused = Refusal::of(&sends(service.admin(), true, mails).await.unwrap_err());
    assert_eq!(refused.kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!(service.admin().messages("acme").await.len(), 1);
}

#[tokio::test]
async fn without_settings_an_atomic_batch_and_each_item_say_so() {
    let service = given().service().starts().await;
    let settings = postrider_proto::v1::DeleteSettingsRequest {
        reseller: "acme".to_owned(),
        ..postrider_proto::v1::DeleteSettingsRequest::default()
    };
    service.admin().settings().delete_settings(settings).await.unwrap();
    let refused = sends(service.admin(), true, vec![item()]).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).kind(), (Code::FailedPrecondition, "SETTINGS_MISSING"));
    let results = sends(service.admin(), false, vec![item()]).await.unwrap().results;
    let refused = refusal(&results[0]);
    assert_eq!(refused.kind(), (Code::FailedPrecondition, "SETTINGS_MISSING"));
    assert_eq!(refused.further, ["PreconditionFailure"]);
}

#[tokio::test]
async fn what_makes_no_sense_in_a_batch_is_a_field_error_of_the_call() {
    let service = ready().await;
    let mut waiting = item();
    waiting.request.set_wait_for(WaitFor::Sent);
    let mails = || vec![mail("globex"), waiting.clone(), item().only_validated()];
    for atomic in [false, true] {
        let refused = Refusal::of(&sends(service.admin(), atomic, mails()).await.unwrap_err());
        assert_eq!(refused.kind(), (Code::InvalidArgument, "INVALID_REQUEST"));
        assert_eq!(
            refused.fields,
            ["requests[0].reseller", "requests[1].wait_for", "requests[2].validate_only"],
            "atomic: {atomic}"
        );
    }
    assert!(service.admin().messages("acme").await.is_empty());
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_items() {
    let service = ready().await;
    for count in [0, 1_001] {
        let refused = sends(service.admin(), false, vec![item(); count]).await.unwrap_err();
        assert_eq!(Refusal::of(&refused).fields, ["requests"], "{count}");
    }
    let results = sends(service.admin(), true, vec![item(); 1_000]).await.unwrap().results;
    assert_eq!(results.len(), 1_000);
    assert_eq!(service.admin().messages("acme").await.len(), 1_000);
}

#[tokio::test]
async fn a_batch_has_at_most_64_mib() {
    let service = ready().await;
    let large = || item().with(|email| email.text = "x".repeat(3 << 20));
    let refused = sends(service.admin(), false, vec![large(); 22]).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).kind(), (Code::InvalidArgument, "REQUEST_TOO_LARGE"));
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit_bytes"], (64_u32 << 20).to_string());
    assert!(service.admin().messages("acme").await.is_empty());
}
