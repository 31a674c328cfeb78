//! `check-store` finds what is broken, and nothing else; `migrate` brings a database to the schema of this program.

use std::path::Path;
use std::time::Duration;

use postrider_proto::v1::{CancelMessageRequest, MessageState};
use postrider_sandbox::seed;
use postrider_testkit::{
    Finished, Microsoft, Postgres, Service, ServiceBuilder, acme_settings, from_now, mail,
};
use serde_json::json;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};

use crate::support::{given, mortal};

/// What a hand can do to a store that has one message in flight, one scheduled, one SENT and one CANCELLED: which invariant
/// is broken by it, and how it is mended.
const BREAKS: [(&str, &str, &str); 17] = [
    (
        "contents",
        "UPDATE messages SET content_bytes = content_bytes + 1 WHERE state = 'sent'; \
         UPDATE messages SET has_content = FALSE WHERE state = 'scheduled'",
        "UPDATE messages SET content_bytes = content_bytes - 1 WHERE state = 'sent'; \
         UPDATE messages SET has_content = TRUE WHERE state = 'scheduled'",
    ),
    (
        "contents",
        "UPDATE messages SET purge_time = NULL WHERE state = 'cancelled'",
        "UPDATE messages SET purge_time = end_time WHERE state = 'cancelled'",
    ),
    (
        "contents",
        "INSERT INTO contents VALUES ('acme', (SELECT message_id FROM messages WHERE state = 'sent'), \
         (SELECT message_id FROM messages LIMIT 1))",
        "DELETE FROM contents WHERE message_id IN (SELECT message_id FROM messages WHERE state = 'sent')",
    ),
    (
        "request keys",
        "UPDATE request_keys SET request_id = 'another' WHERE request_id = 'scheduled'",
        "UPDATE request_keys SET request_id = 'scheduled' WHERE request_id = 'another'",
    ),
    (
        "request keys",
        "UPDATE request_keys SET expire_time = expire_time - 90000000000 WHERE request_id = 'sent'",
        "UPDATE request_keys SET expire_time = expire_time + 90000000000 WHERE request_id = 'sent'",
    ),
    (
        "request keys",
        "UPDATE request_keys SET create_time = expire_time, expire_time = NULL WHERE request_id = 'sent'",
        "UPDATE request_keys SET expire_time = create_time WHERE request_id = 'sent'",
    ),
    (
        "attempts",
        "UPDATE attempts SET number = 2 WHERE outcome = 'sent'",
        "UPDATE attempts SET number = 1 WHERE outcome = 'sent'",
    ),
    (
        "in flight",
        "UPDATE attempts SET call_deadline = NULL, late_time = call_deadline, late_outcome = 'deferred' \
         WHERE end_time IS NULL",
        "UPDATE attempts SET call_deadline = late_time, late_time = NULL, late_outcome = NULL WHERE end_time IS NULL",
    ),
    (
        "in flight",
        "UPDATE messages SET state = 'deferred' WHERE state = 'sending'",
        "UPDATE messages SET state = 'sending' WHERE state = 'deferred'",
    ),
    (
        "outcomes",
        "UPDATE attempts SET outcome = 'deferred' WHERE outcome = 'sent'",
        "UPDATE attempts SET outcome = 'sent' WHERE outcome = 'deferred'",
    ),
    (
        "outcomes",
        "UPDATE messages SET in_doubt = TRUE WHERE state = 'scheduled'",
        "UPDATE messages SET in_doubt = FALSE WHERE state = 'scheduled'",
    ),
    (
        "lanes",
        "UPDATE resellers SET wait_until = due_time, due_time = NULL WHERE reseller = 'bolt'",
        "UPDATE resellers SET due_time = wait_until, wait_until = NULL WHERE reseller = 'bolt'",
    ),
    (
        "queues",
        "UPDATE resellers SET queued_messages = queued_messages + 1 WHERE reseller = 'acme'",
        "UPDATE resellers SET queued_messages = queued_messages - 1 WHERE reseller = 'acme'",
    ),
    (
        "events",
        "UPDATE events SET number = 1000 WHERE reseller = 'acme' AND number = 2",
        "UPDATE events SET number = 2 WHERE reseller = 'acme' AND number = 1000",
    ),
    (
        "settings",
        "UPDATE settings SET mailbox = 'other@acme.example' WHERE reseller = 'acme'",
        "UPDATE settings SET mailbox = (SELECT mailbox FROM resellers WHERE reseller = 'acme') WHERE reseller = 'acme'",
    ),
    (
        "settings",
        "UPDATE settings SET credential_version = credential_version || 'x' WHERE reseller = 'acme'",
        "UPDATE settings SET credential_version = replace(credential_version, 'x', '') WHERE reseller = 'acme'",
    ),
    (
        "audit",
        "UPDATE audit_chains SET last_number = last_number + 1 WHERE reseller = 'acme'",
        "UPDATE audit_chains SET last_number = last_number - 1 WHERE reseller = 'acme'",
    ),
];

/// A service with messages in each state that breaks differently.
async fn used(service: ServiceBuilder, microsoft: &Microsoft) -> Service {
    let service = service.with("microsoft.call_timeout", "60s").starts().await.with_acme().await;
    let mut bolt = acme_settings();
    bolt.reseller = "bolt".to_owned();
    let admin = service.admin();
    admin.puts(bolt).await;
    let sent = admin.sends(mail("acme").request_id("sent").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
    let later = || from_now(Duration::from_hours(1));
    let cancelled = admin.sends(mail("acme").at(later())).await;
    let cancel = CancelMessageRequest { reseller: "acme".to_owned(), message_id: cancelled.message_id };
    admin.mail().cancel_message(cancel).await.unwrap();
    admin.sends(mail("acme").request_id("scheduled").at(later())).await;
    admin.sends(mail("bolt").at(later())).await;
    microsoft.plays("hang", seed::MAILBOX, json!({})).await;
    let hung = admin.sends(mail("acme").about("hung")).await;
    admin.reaches(&hung, MessageState::Sending).await;
    service
}

async fn runs(what: &str, service: &ServiceBuilder) -> Finished {
    let mut command = service.world().command();
    command.arg(what).arg("--data-dir").arg(service.data_dir()).args(service.overrides());
    postrider_testkit::run(command, "").await
}

async fn checks(service: &ServiceBuilder) -> Finished {
    runs("check-store", service).await
}

fn assert_sound(checked: &Finished) {
    assert_eq!(checked.code, 0, "{checked:#?}");
    assert!(
        checked.stdout.ends_with("the store is sound\n") && !checked.stdout.contains('✘'),
        "{checked:#?}"
    );
}

/// That one invariant is broken, among others perhaps, and something is said of it.
fn assert_broken(checked: &Finished, name: &str, by: &str) {
    assert_eq!(checked.code, 1, "{by}: {checked:#?}");
    let mut lines = checked.stdout.lines().skip_while(|line| !line.starts_with(&format!("✘ {name}: ")));
    assert!(lines.next().is_some(), "{name} is broken by {by}: {checked:#?}");
    assert!(lines.next().is_some_and(|line| line.starts_with("    ")), "{by}: {checked:#?}");
    assert!(checked.stdout.ends_with("the store is broken\n"), "{checked:#?}");
}

async fn sqlite(database: &Path, sql: &str) {
    let mut db = SqliteConnectOptions::new().filename(database).foreign_keys(false).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    db.close().await.unwrap();
}

async fn killed(service: &mut Service) -> ServiceBuilder {
    service.is_killed().await;
    service.built().clone()
}

#[tokio::test]
async fn a_running_service_on_sqlite_is_sound_and_each_invariant_fails_when_it_is_broken() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = used(mortal(&world, &microsoft), &microsoft).await;
    assert_sound(&checks(service.built()).await);
    let built = killed(&mut service).await;
    assert_sound(&checks(&built).await);

    let database = built.data_dir().join("postrider.db");
    let before = std::fs::read(&database).unwrap();
    assert_sound(&checks(&built).await);
    assert_eq!(std::fs::read(&database).unwrap(), before, "nothing was changed");
    for (name, breaks, mends) in BREAKS {
        sqlite(&database, breaks).await;
        assert_broken(&checks(&built).await, name, breaks);
        sqlite(&database, mends).await;
        assert_sound(&checks(&built).await);
    }
    let lost = "PRAGMA ignore_check_constraints = on; \
                UPDATE messages SET state = 'lost' WHERE request_id = 'scheduled'";
    sqlite(&database, lost).await;
    assert_broken(&checks(&built).await, "states", lost);
    let mut bytes = std::fs::read(&database).unwrap();
    bytes.chunks_mut(4096).skip(8).for_each(|page| page[..64].fill(0xa5));
    std::fs::write(&database, bytes).unwrap();
    let damaged = checks(&built).await;
    assert_eq!(damaged.code, 1, "{damaged:#?}");
    assert!(damaged.stderr.contains("is damaged") || damaged.stdout.contains("✘ file"), "{damaged:#?}");
}

#[tokio::test]
async fn replicas_on_postgresql_are_sound_and_each_invariant_fails_when_it_is_broken() {
    let world = given();
    let microsoft = world.microsoft().await;
    let database = Postgres::shared().database();
    let on_postgres = mortal(&world, &microsoft).with("storage.url", &database.url());
    let mut service = used(on_postgres, &microsoft).await;
    assert_sound(&checks(service.built()).await);
    let built = killed(&mut service).await;
    for (name, breaks, mends) in BREAKS {
        database.sql(breaks);
        assert_broken(&checks(&built).await, name, breaks);
        database.sql(mends);
        assert_sound(&checks(&built).await);
    }
}

/// A file as the first version of the schema made it.
async fn of_the_first_schema(database: &Path) {
    let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
    let mut db = options.connect().await.unwrap();
    let sql = include_str!("../../crates/store/migrations/sqlite/0001_initial.sql").into_sql_str();
    let initial = Migration::new(1, "initial".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![initial]).run(&mut db).await.unwrap();
    sqlx::query("INSERT INTO meta VALUES ('kind', 'real')").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn migrate_brings_a_file_of_an_older_schema_up_to_date_and_says_from_where_to_where() {
    let world = given();
    let service = world.service();
    assert_eq!(runs("migrate", &service).await.code, 2, "there is no database");
    std::fs::create_dir(service.data_dir()).unwrap();
    let database = service.data_dir().join("postrider.db");
    of_the_first_schema(&database).await;

    let old = checks(&service).await;
    assert!(
        old.code == 1 && old.stderr.contains("schema 1") && old.stderr.contains("postrider migrate"),
        "{old:#?}"
    );
    let migrated = runs("migrate", &service).await.answer();
    assert!(migrated.starts_with("the database was brought from schema 1 to schema "), "{migrated}");
    let again = runs("migrate", &service).await.answer();
    assert!(again.ends_with(" already\n"), "{again}");
    assert_sound(&checks(&service).await);
}

#[tokio::test]
async fn migrate_leaves_a_file_alone_that_a_service_has_and_one_of_a_newer_postrider() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await;
    let held = runs("migrate", service.built()).await;
    assert!(held.code == 1 && held.stderr.contains("another postrider"), "{held:#?}");
    let built = killed(&mut service).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999999, 'of a later version', TRUE, x'00', 0)";
    sqlite(&built.data_dir().join("postrider.db"), newer).await;
    for what in ["migrate", "check-store"] {
        let refused = runs(what, &built).await;
        assert!(refused.code == 1 && refused.stderr.contains("newer"), "{refused:#?}");
    }
}

#[tokio::test]
async fn migrate_fills_an_empty_database_on_postgresql_which_a_service_then_takes() {
    let world = given();
    let microsoft = world.microsoft().await;
    let database = Postgres::shared().database();
    let service = mortal(&world, &microsoft).with("storage.url", &database.url());
    let empty = checks(&service).await;
    assert!(empty.code == 1 && empty.stderr.contains("postrider migrate"), "{empty:#?}");
    let migrated = runs("migrate", &service).await.answer();
    assert!(migrated.starts_with("the database was brought from schema 0 to schema "), "{migrated}");
    let service = service.starts().await.with_acme().await;
    assert!(runs("migrate", service.built()).await.answer().ends_with(" already\n"));
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
    database.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999999, 'of a later version', TRUE, '', 0)",
    );
    for what in ["migrate", "check-store"] {
        let refused = runs(what, service.built()).await;
        assert!(refused.code == 1 && refused.stderr.contains("newer"), "{refused:#?}");
    }
}
