//! Nobody is locked out for good: whoever has the machine makes a key that may do everything.

use postrider_proto::v1::{AuditEvent, ListAuditEventsRequest, ListKeysRequest, RevokeKeyRequest, Scope};
use postrider_testkit::{Client, Finished, Postgres, Service, ServiceBuilder, reason};

use crate::support::given;

async fn recovers(service: &ServiceBuilder) -> Finished {
    let mut command = service.world().command();
    command.arg("recover-access").arg("--data-dir").arg(service.data_dir()).args(service.overrides());
    postrider_testkit::run(command, "").await
}

/// Its key, which stands alone on standard output.
fn key(recovered: Finished) -> String {
    assert!(recovered.stderr.contains("this once") && !recovered.stderr.contains("pr_"), "{recovered:#?}");
    let text = recovered.answer();
    let key = text.strip_suffix('\n').unwrap();
    assert!(key.starts_with("pr_") && !key.contains('\n'), "{text}");
    key.to_owned()
}

async fn revokes_all(client: &Client) {
    for key in client.access().list_keys(ListKeysRequest {}).await.unwrap().into_inner().keys {
        client.access().revoke_key(RevokeKeyRequest { key_id: key.key_id }).await.unwrap();
    }
}

/// That the key may do everything, and the audit tells where it came from.
async fn opens_everything(service: &Service, key: &str) {
    let client = service.client(key);
    client.with_key(&[Scope::Admin], &[]).await;
    let told = client.access().list_audit_events(ListAuditEventsRequest::default()).await.unwrap();
    let is_it = |event: &AuditEvent| event.details.get("by").is_some_and(|by| by == "recover-access");
    let made: Vec<_> = told.into_inner().events.into_iter().filter(is_it).collect();
    let [made] = made.as_slice() else { panic!("one event: {made:#?}") };
    assert_eq!((made.actor.as_str(), made.action.as_str()), ("postrider", "CreateKey"));
    assert!(key.starts_with(&format!("pr_{}_", made.details["key_id"])), "{made:#?}");
}

#[tokio::test]
async fn on_sqlite_a_key_is_made_while_the_service_is_stopped() {
    let world = given();
    let microsoft = world.microsoft().await;
    let built = world.service().sending_to(&microsoft);
    let nothing = recovers(&built).await;
    assert!(nothing.code == 2 && nothing.stderr.contains("there is no database"), "{nothing:#?}");
    let mut service = built.starts().await;
    let beside = recovers(service.built()).await;
    assert!(beside.code == 2 && beside.stderr.contains("another postrider has"), "{beside:#?}");
    revokes_all(service.admin()).await;
    assert!(service.is_asked_to_end().await.success());

    let key = key(recovers(service.built()).await);

    service.returns().await;
    opens_everything(&service, &key).await;
}

#[tokio::test]
async fn on_postgresql_a_key_is_made_beside_a_running_service_and_opens_it_at_once() {
    let world = given();
    let microsoft = world.microsoft().await;
    let database = Postgres::shared().database();
    let built = world.service().sending_to(&microsoft).with("storage.url", &database.url());
    let service = built.starts().await;
    revokes_all(service.admin()).await;
    let locked_out = service.admin().access().list_keys(ListKeysRequest {}).await.unwrap_err();
    assert_eq!(reason(&locked_out), "UNAUTHENTICATED");

    let key = key(recovers(service.built()).await);

    opens_everything(&service, &key).await;
}
