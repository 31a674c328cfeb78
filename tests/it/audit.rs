//! Who changed what is told with the change, in a record that shows what was done to it.

use postrider_proto::v1::{
    AuditEvent, DeleteSettingsRequest, ListAuditEventsRequest, PauseSendingRequest, ResumeSendingRequest,
    RevokeKeyRequest, Scope, Settings,
};
use postrider_sandbox::seed;
use postrider_testkit::{Client, Service, acme_settings, in_time, mail, reason};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{is_told, ready};

async fn events(client: &Client, reseller: &str) -> Vec<AuditEvent> {
    let request = ListAuditEventsRequest { reseller: reseller.to_owned(), ..Default::default() };
    client.access().list_audit_events(request).await.unwrap().into_inner().events
}

fn actions(events: &[AuditEvent]) -> Vec<&str> {
    events.iter().rev().map(|event| event.action.as_str()).collect()
}

/// What is done to `acme` after it was made ready.
async fn is_steered(service: &Service) {
    let mut settings = service.admin().settings();
    let (reseller, reason) = ("acme".to_owned(), "holidays".to_owned());
    let pause = PauseSendingRequest { reseller: reseller.clone(), reason: reason.clone() };
    settings.pause_sending(pause).await.unwrap();
    settings.resume_sending(ResumeSendingRequest { reseller, reason }).await.unwrap();
}

#[tokio::test]
async fn every_change_is_told_with_who_made_it_and_from_where() {
    let service = ready().await;
    let before = events(service.admin(), "acme").await.len();
    let labels = [("plan".to_owned(), "gold".to_owned())].into();
    service.admin().puts(Settings { labels, ..acme_settings() }).await;
    is_steered(&service).await;
    let (key, _) = service.admin().with_key(&[Scope::Send], &["acme"]).await;
    let revoked = RevokeKeyRequest { key_id: key.key_id.clone() };
    service.admin().access().revoke_key(revoked).await.unwrap();
    let request = DeleteSettingsRequest {
        reseller: "acme".to_owned(),
        cancel_unfinished: true,
        ..DeleteSettingsRequest::default()
    };
    service.admin().settings().delete_settings(request).await.unwrap();

    let told = events(service.admin(), "acme").await;

    let expected =
        ["PutSettings", "PauseSending", "ResumeSending", "CreateKey", "RevokeKey", "DeleteSettings"];
    assert_eq!(actions(&told)[before..], expected);
    let admin = service.admin().key().split('_').nth(1).unwrap();
    assert!(told[..expected.len()].iter().all(|event| event.actor == admin), "{told:#?}");
    assert!(told[..expected.len()].iter().all(|event| event.source_address == "127.0.0.1"), "{told:#?}");
    let put = &told[expected.len() - 1];
    assert!(put.details["changed"].contains("labels"), "{put:#?}");
    assert_eq!(told[1].details["key_id"], key.key_id);
    let all = format!("{told:?}");
    for hidden in [seed::SECRET, seed::MAILBOX, "gold", "holidays"] {
        assert!(!all.contains(hidden), "{hidden} is told: {all}");
    }
}

#[tokio::test]
async fn what_was_refused_is_told_once_and_then_counted() {
    let service = ready().await;
    let (key, client) = service.admin().with_key(&[Scope::Send], &["globex"]).await;
    for _ in 0..40 {
        assert_eq!(reason(&client.tries(mail("acme")).await.unwrap_err()), "ACCESS_DENIED");
        let nobody = service.admin().without_key();
        assert_eq!(reason(&nobody.tries(mail("acme")).await.unwrap_err()), "UNAUTHENTICATED");
    }
    let refused = in_time("both are told", async {
        loop {
            let told = events(service.admin(), "").await;
            let refused: Vec<_> =
                told.into_iter().filter(|event| event.details.contains_key("refused")).collect();
            if refused.len() >= 2 {
                return refused;
            }
        }
    })
    .await;
    assert!(refused.len() <= 4, "a minute may end meanwhile: {refused:#?}");
    assert!(refused.iter().all(|event| event.action == "SendMail" && event.reseller.is_empty()));
    let of = |reason: &str| refused.iter().find(|event| event.details["refused"] == reason).unwrap();
    assert_eq!(of("ACCESS_DENIED").actor, key.key_id);
    assert_eq!(of("UNAUTHENTICATED").actor, "");
    assert_eq!(of("ACCESS_DENIED").details["asked_for"], "acme");
    let stranger = of("UNAUTHENTICATED");
    assert!(!format!("{stranger:?}").contains("acme"), "what a stranger asked for is not told: {stranger:?}");
}

#[tokio::test]
async fn a_refusal_is_told_with_who_came_from_where_at_whichever_door() {
    let service = ready().await;
    let (key, client) = service.admin().with_key(&[Scope::Read], &["globex"]).await;
    let http = |path: &str| format!("http://{}{path}", service.http());
    let web = reqwest::Client::default();

    assert_eq!(reason(&client.tries(mail("acme")).await.unwrap_err()), "ACCESS_DENIED");
    let by_json = web.get(http("/v1/resellers/acme/messages/any")).bearer_auth(client.key());
    assert_eq!(by_json.send().await.unwrap().status(), 403, "it is another's reseller");
    let by_json = web.post(http("/v1/resellers/globex/settings:test")).bearer_auth(client.key());
    assert_eq!(by_json.send().await.unwrap().status(), 403, "the key has not the scope");
    let by_grpc_web = web.post(http("/postrider.v1.SettingsService/PutSettings")).bearer_auth(client.key());
    let by_grpc_web = by_grpc_web.header(CONTENT_TYPE, "application/grpc-web+proto").body(vec![0; 5]);
    assert_eq!(by_grpc_web.send().await.unwrap().headers()["grpc-status"], "7");
    let stranger = web.get(http("/v1/resellers/acme/messages/any")).bearer_auth("pr_nobody_0000");
    assert_eq!(stranger.send().await.unwrap().status(), 401);

    let denied =
        ["GetMessage", "PutSettings", "SendMail", "TestSettings"].map(|rpc| format!("{rpc} ACCESS_DENIED"));
    is_told(&service, &key.key_id, &denied.each_ref().map(String::as_str)).await;
    is_told(&service, "", &["GetMessage UNAUTHENTICATED"]).await;
}

#[tokio::test]
async fn a_bound_caller_sees_what_was_done_to_its_own() {
    let service = ready().await;
    service.admin().puts(Settings { reseller: "globex".to_owned(), ..acme_settings() }).await;
    let (_, client) = service.admin().with_key(&[Scope::Admin], &["globex"]).await;
    let told = events(&client, "").await;
    assert_eq!(actions(&told), ["PutSettings", "CreateKey"], "{told:#?}");
    assert!(told.iter().all(|event| event.reseller == "globex"));
    let all = events(service.admin(), "").await;
    assert!(
        all.iter().any(|event| event.reseller.is_empty() && event.action == "CreateKey"),
        "the first key"
    );
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended() {
    let service = ready().await;
    is_steered(&service).await;
    let whole = events(service.admin(), "").await;
    let (mut paged, mut request) =
        (Vec::new(), ListAuditEventsRequest { page_size: 2, ..Default::default() });
    loop {
        let page = service.admin().access().list_audit_events(request.clone()).await.unwrap().into_inner();
        assert!(page.events.len() <= 2);
        paged.extend(page.events);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(paged, whole);
    request.page_token = "nonsense".to_owned();
    let refused = service.admin().access().list_audit_events(request).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_REQUEST");
}

#[tokio::test]
async fn the_command_line_shows_a_whole_record_and_names_what_was_altered() {
    let mut service = ready().await;
    is_steered(&service).await;
    let told = service.cli(&["audit", "acme"]).await;
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(
        told.stdout.contains("PauseSending") && told.stderr.contains("acme: whole up to event"),
        "{told:#?}"
    );
    let lines = service.cli(&["audit", "--output", "json"]).await;
    assert_eq!(lines.code, 0, "{lines:#?}");
    let parsed: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(parsed.iter().any(|event| event["action"] == "PauseSending" && event["hash"].is_string()));

    service.is_killed().await;
    let file = service.data_dir().join("postrider.db");
    alter(&file, "UPDATE audit_events SET actor = 'somebody' WHERE action = 'PauseSending'").await;
    service.returns().await;

    let told = service.cli(&["audit", "acme"]).await;
    assert_eq!(told.code, 1, "{told:#?}");
    assert!(told.stderr.contains("of acme was altered"), "{told:#?}");
    assert!(told.stdout.contains("somebody"), "it is shown all the same: {told:#?}");
}

/// By a hand that has the database, and takes its guard away.
async fn alter(file: &std::path::Path, sql: &'static str) {
    let mut db = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let refused = sqlx::raw_sql(sql).execute(&mut db).await.unwrap_err();
    assert!(refused.to_string().contains("an audit event is not changed"), "{refused}");
    sqlx::raw_sql("DROP TRIGGER audit_events_stay").execute(&mut db).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}
