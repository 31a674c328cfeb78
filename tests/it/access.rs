//! Who may call what: every RPC against every way to have no right, by the descriptor set, so that a new RPC without
//! an entry here fails.

use postrider_proto::v1::{
    BatchSendMailRequest, CancelMessageRequest, CreateKeyRequest, DeleteSettingsRequest, GetMessageRequest,
    GetSettingsRequest, ListAuditEventsRequest, ListKeysRequest, ListMessagesRequest, ListSettingsRequest,
    MessageState, PauseSendingRequest, PutSettingsRequest, ResumeSendingRequest, RetryMessageRequest,
    RetryMessagesRequest, RevokeKeyRequest, Scope, Settings, TestSettingsRequest, WatchMessagesRequest,
    WatchSettingsTestRequest,
};
use postrider_testkit::{Client, Refusal, Service, acme_settings, authority, from_now, mail, raw, reason};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};

use crate::support::ready;

/// What a test needs to know of an RPC.
struct Right {
    /// Any of them is enough.
    scopes: &'static [Scope],
    /// A request for a reseller; `None` where the request names none, and what is answered is the caller's own.
    request: Option<fn(&str) -> Vec<u8>>,
}

const SEND: &[Scope] = &[Scope::Send];
const READ: &[Scope] = &[Scope::Read];
const READ_OR_SEND: &[Scope] = &[Scope::Read, Scope::Send];
const SETTINGS: &[Scope] = &[Scope::Settings];
const READ_OR_SETTINGS: &[Scope] = &[Scope::Read, Scope::Settings];
const TEST: &[Scope] = &[Scope::Test];
const ADMIN: &[Scope] = &[Scope::Admin];

/// The table of the contract.
fn right(rpc: &str) -> Right {
    let served = |scopes, request: fn(&str) -> Vec<u8>| Right { scopes, request: Some(request) };
    let own = |scopes| Right { scopes, request: None };
    macro_rules! naming {
        ($request:ident) => {
            |reseller: &str| $request { reseller: reseller.to_owned(), ..$request::default() }.encode_to_vec()
        };
    }
    match rpc {
        "MailService/SendMail" => served(SEND, |reseller| mail(reseller).request.encode_to_vec()),
        "MailService/BatchSendMail" => served(SEND, naming!(BatchSendMailRequest)),
        "MailService/GetMessage" => served(READ_OR_SEND, naming!(GetMessageRequest)),
        "MailService/ListMessages" => served(READ, naming!(ListMessagesRequest)),
        "MailService/WatchMessages" => served(READ, naming!(WatchMessagesRequest)),
        "MailService/CancelMessage" => served(SEND, naming!(CancelMessageRequest)),
        "MailService/RetryMessage" => served(SEND, naming!(RetryMessageRequest)),
        "MailService/RetryMessages" => served(SEND, naming!(RetryMessagesRequest)),
        "SettingsService/PutSettings" => served(SETTINGS, |reseller| {
            let settings = Settings { reseller: reseller.to_owned(), ..acme_settings() };
            PutSettingsRequest { settings: Some(settings) }.encode_to_vec()
        }),
        "SettingsService/GetSettings" => served(READ_OR_SETTINGS, |reseller| {
            GetSettingsRequest { reseller: reseller.to_owned() }.encode_to_vec()
        }),
        "SettingsService/ListSettings" => own(READ_OR_SETTINGS),
        "SettingsService/DeleteSettings" => served(SETTINGS, naming!(DeleteSettingsRequest)),
        "SettingsService/TestSettings" => served(TEST, naming!(TestSettingsRequest)),
        "SettingsService/WatchSettingsTest" => served(TEST, naming!(WatchSettingsTestRequest)),
        "SettingsService/PauseSending" => served(SETTINGS, naming!(PauseSendingRequest)),
        "SettingsService/ResumeSending" => served(SETTINGS, naming!(ResumeSendingRequest)),
        "AccessService/CreateKey" => served(ADMIN, |reseller| {
            let (name, resellers) = ("a key".to_owned(), vec![reseller.to_owned()]);
            let scopes = vec![Scope::Send.into()];
            CreateKeyRequest { name, scopes, resellers, expire_time: None }.encode_to_vec()
        }),
        "AccessService/ListKeys" | "AccessService/RevokeKey" => own(ADMIN),
        "AccessService/ListAuditEvents" => served(ADMIN, naming!(ListAuditEventsRequest)),
        new => panic!("{new} has no entry here: who may call it?"),
    }
}

/// Every RPC of the API, by its path.
fn every_rpc() -> Vec<(String, Right)> {
    let set = FileDescriptorSet::decode(postrider_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut rpcs = Vec::new();
    for file in set.file.iter().filter(|file| file.package() == "postrider.v1") {
        for service in &file.service {
            for method in &service.method {
                let rpc = format!("{}/{}", service.name(), method.name());
                let right = right(&rpc);
                rpcs.push((format!("/postrider.v1.{rpc}"), right));
            }
        }
    }
    assert!(rpcs.len() >= 19, "the descriptor set has services");
    rpcs
}

async fn refusal(client: &Client, shown: Option<MetadataValue<Ascii>>, path: &str, body: Vec<u8>) -> Refusal {
    match raw::call(client, shown, path, body).await {
        Ok(_) => panic!("{path} was answered"),
        Err(status) => Refusal::of(&status),
    }
}

fn body(right: &Right, reseller: &str) -> Vec<u8> {
    right.request.map(|request| request(reseller)).unwrap_or_default()
}

#[tokio::test]
async fn without_a_valid_key_every_rpc_is_unauthenticated() {
    let service = ready().await;
    let (revoked, holder) = service.admin().with_key(&[Scope::Admin], &[]).await;
    let request = RevokeKeyRequest { key_id: revoked.key_id };
    service.admin().access().revoke_key(request).await.unwrap();
    let admin = service.admin().key();
    let unknown = format!("{}{}", &admin[..admin.len() - 1], if admin.ends_with('a') { 'b' } else { 'a' });
    let value = |text: &str| Some(text.parse::<MetadataValue<Ascii>>().unwrap());
    let shown = [
        ("no key", None),
        ("no Bearer", value(admin)),
        ("another scheme", value(&format!("Basic {admin}"))),
        ("an empty key", value("Bearer ")),
        ("a malformed key", value("Bearer pr_")),
        ("no key of ours", value("Bearer something-else")),
        ("an unknown key", Some(authority(&unknown))),
        ("a revoked key", Some(authority(holder.key()))),
    ];
    for (path, right) in every_rpc() {
        let mut answers = Vec::new();
        for (what, shown) in &shown {
            for reseller in ["acme", "nobody"] {
                let answer = refusal(service.admin(), shown.clone(), &path, body(&right, reseller)).await;
                assert_eq!(answer.kind(), (Code::Unauthenticated, "UNAUTHENTICATED"), "{path} with {what}");
                answers.push(answer);
            }
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "one answer for all: {answers:#?}");
    }
}

#[tokio::test]
async fn a_key_that_has_ended_is_unauthenticated() {
    let service = ready().await;
    let request = CreateKeyRequest {
        name: "short".to_owned(),
        scopes: vec![Scope::Read.into()],
        resellers: Vec::new(),
        expire_time: Some(from_now(std::time::Duration::from_secs(2))),
    };
    let created = service.admin().access().create_key(request).await.unwrap().into_inner();
    let client = service.client(&created.secret);
    let list = || ListSettingsRequest::default();
    client.settings().list_settings(list()).await.unwrap();
    let ended = postrider_testkit::in_time("the key ends", async {
        loop {
            if let Err(status) = client.settings().list_settings(list()).await {
                return status;
            }
        }
    })
    .await;
    assert_eq!(reason(&ended), "UNAUTHENTICATED");
}

#[tokio::test]
async fn without_the_scope_every_rpc_is_denied_alike_for_what_exists_and_what_does_not() {
    let service = ready().await;
    for (path, right) in every_rpc() {
        let others: Vec<_> = [Scope::Send, Scope::Read, Scope::Settings, Scope::Test]
            .into_iter()
            .filter(|scope| !right.scopes.contains(scope))
            .collect();
        let (_, client) = service.admin().with_key(&others, &[]).await;
        let shown = Some(authority(client.key()));
        let acme = refusal(&client, shown.clone(), &path, body(&right, "acme")).await;
        let nobody = refusal(&client, shown.clone(), &path, body(&right, "nobody")).await;
        assert_eq!(acme.kind(), (Code::PermissionDenied, "ACCESS_DENIED"), "{path}");
        assert_eq!(acme, nobody, "{path}");
        if path.ends_with("PutSettings") {
            let invalid = PutSettingsRequest { settings: Some(Settings::default()) }.encode_to_vec();
            assert_eq!(refusal(&client, shown, &path, invalid).await, acme, "before anything is validated");
        }
    }
}

#[tokio::test]
async fn another_reseller_is_denied_alike_whether_it_exists_or_not() {
    let service = ready().await;
    for (path, right) in every_rpc() {
        let Some(request) = right.request else { continue };
        let (_, client) = service.admin().with_key(right.scopes, &["globex"]).await;
        let shown = Some(authority(client.key()));
        let acme = refusal(&client, shown.clone(), &path, request("acme")).await;
        assert_eq!(acme.kind(), (Code::PermissionDenied, "ACCESS_DENIED"), "{path}");
        for other in ["nobody", "Not A Name"] {
            assert_eq!(
                refusal(&client, shown.clone(), &path, request(other)).await,
                acme,
                "{path} for {other:?}"
            );
        }
        let means_all = path.ends_with("WatchMessages") || path.ends_with("ListAuditEvents");
        if !means_all {
            assert_eq!(refusal(&client, shown.clone(), &path, request("")).await, acme, "{path} for nobody");
        }
        if path.ends_with("GetMessage") {
            let message = service.admin().sends(mail("acme")).await;
            let theirs = GetMessageRequest { reseller: "acme".to_owned(), message_id: message.message_id };
            assert_eq!(
                refusal(&client, shown, &path, theirs.encode_to_vec()).await,
                acme,
                "for a message that is there"
            );
        }
    }
}

#[tokio::test]
async fn anothers_message_is_not_found_under_ones_own_name() {
    let service = ready().await;
    let message = service.admin().sends(mail("acme")).await;
    let (_, client) = service.admin().with_key(&[Scope::Read], &["globex"]).await;
    let request = GetMessageRequest { reseller: "globex".to_owned(), message_id: message.message_id };
    let refused = client.mail().get_message(request).await.unwrap_err();
    assert_eq!(reason(&refused), "MESSAGE_NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_rpc_is_unimplemented_with_its_reason() {
    let service = ready().await;
    let shown = Some(authority(service.admin().key()));
    for unknown in ["/postrider.v1.MailService/SendFax", "/postrider.v1.FaxService/Send", "/nobody.Knows/It"]
    {
        let answer = refusal(service.admin(), shown.clone(), unknown, Vec::new()).await;
        assert_eq!(answer.kind(), (Code::Unimplemented, "UNIMPLEMENTED"), "{unknown}");
        let stranger = refusal(service.admin(), None, unknown, Vec::new()).await;
        assert_eq!(stranger.kind(), (Code::Unauthenticated, "UNAUTHENTICATED"), "{unknown}");
    }
}

#[tokio::test]
async fn a_key_does_what_its_scope_says_and_for_its_reseller() {
    let service = ready().await;
    let (_, sender) = service.admin().with_key(&[Scope::Send], &["acme"]).await;
    let message = sender.sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(message.state(), MessageState::Sent);
    assert_eq!(sender.message("acme", &message.message_id).await.message_id, message.message_id);
    let (_, reader) = service.admin().with_key(&[Scope::Read], &["acme"]).await;
    assert_eq!(reader.messages("acme").await.len(), 1);
    reader.saved_settings("acme").await;
    let (_, keeper) = service.admin().with_key(&[Scope::Settings], &["acme"]).await;
    keeper.puts(acme_settings()).await;
    let (_, tester) = service.admin().with_key(&[Scope::Test], &["acme"]).await;
    assert!(tester.tests("acme", None).await.passed);
    let elsewhere = TestSettingsRequest {
        reseller: "acme".to_owned(),
        recipient: "ann@customer.example".to_owned(),
        ..TestSettingsRequest::default()
    };
    let refused = tester.settings().test_settings(elsewhere).await.unwrap_err();
    assert_eq!(reason(&refused), "ACCESS_DENIED", "a test mail to somebody else needs the scope to send");
}

#[tokio::test]
async fn lists_hold_only_what_the_caller_may_reach() {
    let service = ready().await;
    service.admin().puts(Settings { reseller: "globex".to_owned(), ..acme_settings() }).await;
    let (_, bound) = service.admin().with_key(&[Scope::Read], &["globex"]).await;
    let listed =
        bound.settings().list_settings(ListSettingsRequest::default()).await.unwrap().into_inner().settings;
    let names: Vec<_> = listed.iter().map(|settings| settings.reseller.as_str()).collect();
    assert_eq!(names, ["globex"]);
}

async fn listed_keys(client: &Client) -> Vec<String> {
    let keys = client.access().list_keys(ListKeysRequest {}).await.unwrap().into_inner().keys;
    keys.into_iter().map(|key| key.key_id).collect()
}

async fn revoked(client: &Client, key_id: &str) -> Result<(), String> {
    let request = RevokeKeyRequest { key_id: key_id.to_owned() };
    client.access().revoke_key(request).await.map(|_| ()).map_err(|status| reason(&status))
}

async fn created(client: &Client, resellers: &[&str]) -> Result<String, String> {
    let request = CreateKeyRequest {
        name: "made".to_owned(),
        scopes: vec![Scope::Send.into()],
        resellers: resellers.iter().map(|&name| name.to_owned()).collect(),
        expire_time: None,
    };
    let response = client.access().create_key(request).await.map_err(|status| reason(&status))?;
    Ok(response.into_inner().key.unwrap().key_id)
}

#[tokio::test]
async fn a_bound_key_makes_sees_and_revokes_only_within_its_resellers() {
    let service = ready().await;
    let (bound_key, bound) = service.admin().with_key(&[Scope::Admin], &["acme", "globex"]).await;
    let (theirs, _) = service.admin().with_key(&[Scope::Send], &["initech"]).await;
    let (for_all, _) = service.admin().with_key(&[Scope::Send], &[]).await;
    let (wider, _) = service.admin().with_key(&[Scope::Send], &["acme", "initech"]).await;

    assert_eq!(created(&bound, &[]).await, Err("ACCESS_DENIED".to_owned()));
    assert_eq!(created(&bound, &["initech"]).await, Err("ACCESS_DENIED".to_owned()));
    assert_eq!(created(&bound, &["acme", "initech"]).await, Err("ACCESS_DENIED".to_owned()));
    let own = created(&bound, &["acme"]).await.unwrap();

    let mut seen = listed_keys(&bound).await;
    seen.sort();
    let mut expected = vec![bound_key.key_id.clone(), own.clone()];
    expected.sort();
    assert_eq!(seen, expected);
    for another in [&theirs.key_id, &for_all.key_id, &wider.key_id] {
        assert_eq!(revoked(&bound, another).await, Err("KEY_NOT_FOUND".to_owned()));
    }
    assert_eq!(revoked(&bound, &own).await, Ok(()));
    assert_eq!(revoked(service.admin(), "no-such-key").await, Err("KEY_NOT_FOUND".to_owned()));
    assert!(listed_keys(service.admin()).await.contains(&theirs.key_id), "the key for all sees all");
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_after_a_restart() {
    let mut service = ready().await;
    let (key, holder) = service.admin().with_key(&[Scope::Send], &["acme"]).await;
    holder.sends(mail("acme")).await;
    revoked(service.admin(), &key.key_id).await.unwrap();
    assert_eq!(reason(&holder.tries(mail("acme")).await.unwrap_err()), "UNAUTHENTICATED");
    let text = holder.key().to_owned();

    service.is_killed_and_returns().await;

    assert_eq!(reason(&service.client(&text).tries(mail("acme")).await.unwrap_err()), "UNAUTHENTICATED");
    still_works(&service).await;
}

async fn still_works(service: &Service) {
    assert!(service.admin().sends(mail("acme")).await.message_id.len() > 8);
}

#[tokio::test]
async fn what_a_new_key_lacks_is_told_field_by_field() {
    let service = ready().await;
    let wrong = CreateKeyRequest {
        name: String::new(),
        scopes: Vec::new(),
        resellers: vec!["acme".to_owned(), "Not A Name".to_owned()],
        expire_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
    };
    let refused = Refusal::of(&service.admin().access().create_key(wrong).await.unwrap_err());
    assert_eq!(refused.kind(), (Code::InvalidArgument, "INVALID_REQUEST"));
    let mut fields = refused.fields;
    fields.sort();
    assert_eq!(fields, ["expire_time", "name", "resellers[1]", "scopes"]);
}
