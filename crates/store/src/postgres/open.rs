//! Connecting: looks at what the server promises, brings the schema up to date, and says what is wrong in one sentence.
//!
//! Rules
//! - A server that may lose what it acknowledged is refused: `fsync` or `full_page_writes` off, or a standby.
//! - Migrations go forward only, under a lock that all replicas ask for, in one transaction. Each leaves the schema such
//!   that the version before still runs on it.
//! - A database of the other kind, or of a newer Postrider, is not touched.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use super::{LOCK_TIMEOUT, STATEMENT_TIMEOUT};
use crate::schema::Schema;
use crate::{Migrated, StoreError, StoreKind};

/// PostgreSQL 14.
const VERSION_MIN: i32 = 140_000;
/// Connections that read.
pub(super) const READERS: u32 = 8;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Any number, the same in all replicas: who brings the schema up to date has the lock of this name.
const MIGRATION_LOCK: i64 = 0x0070_6f73_7472_6964;

const FOREIGN_POSITIONS: &str = include_str!("../../sql/postgres/open/foreign_positions.sql");
pub(crate) const SCHEMA: Schema = Schema(&[
    (1, "initial", include_str!("../../migrations/postgres/0001_initial.sql")),
    (2, "federated", include_str!("../../migrations/postgres/0002_federated.sql")),
    (3, "pace", include_str!("../../migrations/postgres/0003_pace.sql")),
    (4, "audit", include_str!("../../migrations/postgres/0004_audit.sql")),
    (5, "data keys", include_str!("../../migrations/postgres/0005_data_keys.sql")),
    (6, "waits", include_str!("../../migrations/postgres/0006_waits.sql")),
    (7, "asked", include_str!("../../migrations/postgres/0007_asked.sql")),
    (8, "audit stays", include_str!("../../migrations/postgres/0008_audit_stays.sql")),
    (9, "asked elsewhere", include_str!("../../migrations/postgres/0009_asked_elsewhere.sql")),
]);

/// Where the database is, and what it is.
#[derive(Debug)]
pub(super) struct Server {
    pub options: PgConnectOptions,
    /// A pooler gives each transaction another connection.
    pub is_pooled: bool,
    /// Its tables are, or may be, spread over many servers.
    pub is_citus: bool,
}

pub(super) struct Opened {
    pub server: Server,
    pub reader: PgPool,
}

impl Server {
    pub(super) async fn open(url: &str, kind: StoreKind) -> Result<Opened, StoreError> {
        let (options, mut db) = connect(url).await?;
        let is_pooled = url.contains("statement-cache-capacity=0");
        let is_citus = check(&mut db).await?;
        migrate(&mut db, Some(kind)).await?;
        db.close().await.ok();
        let reader = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(|error| unreachable(&options, &error))?;
        Ok(Opened { server: Self { options, is_pooled, is_citus }, reader })
    }
}

pub(super) async fn connect(url: &str) -> Result<(PgConnectOptions, PgConnection), StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| refused(&format!("storage.url cannot be read ({error})")))?;
    let options = options.application_name("postrider").disable_statement_logging();
    let db = options.connect().await.map_err(|error| unreachable(&options, &error))?;
    Ok((options, db))
}

pub(super) fn refused(what: &str) -> StoreError {
    StoreError::Open(what.to_owned())
}

/// Never the URL, which may hold a password.
fn unreachable(options: &PgConnectOptions, error: &sqlx::Error) -> StoreError {
    let place = options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    );
    refused(&format!(
        "PostgreSQL at {place} cannot be reached ({}): see that it runs, and that storage.url names it with a user who may connect",
        one_line(&error.to_string())
    ))
}

pub(super) fn unexpected(error: &sqlx::Error) -> StoreError {
    refused(&format!("PostgreSQL did not answer as expected ({})", one_line(&error.to_string())))
}

/// Whether the server keeps what it acknowledges. Returns whether it is a Citus coordinator.
pub(super) async fn check(db: &mut PgConnection) -> Result<bool, StoreError> {
    // Behind a pooler only what is said in one go surely goes to one connection.
    let row = sqlx::raw_sql(
        "SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
            current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
            pg_is_in_recovery() AS is_standby, current_setting('server_encoding') AS encoding,
            EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS is_citus",
    )
    .fetch_one(db)
    .await
    .map_err(|error| unexpected(&error))?;
    let text = |column: &str| row.try_get::<String, _>(column).map_err(|error| unexpected(&error));
    let version: i32 = row.try_get("version").map_err(|error| unexpected(&error))?;
    if version < VERSION_MIN {
        let version = text("version_text")?;
        return Err(refused(&format!("PostgreSQL {version} is too old: use 14 or newer")));
    }
    for setting in ["fsync", "full_page_writes"] {
        if text(setting)? != "on" {
            return Err(refused(&format!(
                "PostgreSQL runs with {setting} off, and so may lose mail that was accepted: set {setting} = on"
            )));
        }
    }
    if text("encoding")? != "UTF8" {
        return Err(refused("the database is not in UTF8: create it with ENCODING 'UTF8'"));
    }
    if row.try_get("is_standby").map_err(|error| unexpected(&error))? {
        return Err(refused(
            "PostgreSQL is a standby, which takes no writes: let storage.url name the primary",
        ));
    }
    row.try_get("is_citus").map_err(|error| unexpected(&error))
}

/// A new database is of the kind given, or for real mail; one that is there must be of the kind given, if one is.
pub(super) async fn migrate(db: &mut PgConnection, kind: Option<StoreKind>) -> Result<Migrated, StoreError> {
    let mut transaction = db.begin().await.map_err(|error| unexpected(&error))?;
    let limits = format!(
        "SET LOCAL lock_timeout = '{}s'; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})",
        // Who migrates meanwhile may take as long as a statement.
        (LOCK_TIMEOUT + STATEMENT_TIMEOUT).as_secs() * 10
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(limits))
        .execute(&mut *transaction)
        .await
        .map_err(|error| unexpected(&error))?;
    forget_statements(&mut transaction).await?;
    let is_new = is_new(&mut transaction).await?;
    let from = if is_new { 0 } else { check_schema(&mut transaction, kind).await? };
    let mut migrator = SCHEMA.migrator();
    migrator.set_locking(false);
    migrator.run_direct(None, &mut *transaction, false).await.map_err(|error| {
        refused(&format!(
            "the database cannot be brought up to date ({}): restore it from a backup, or use the Postrider that made it",
            one_line(&error.to_string())
        ))
    })?;
    sqlx::raw_sql(FOREIGN_POSITIONS).execute(&mut *transaction).await.map_err(|error| unexpected(&error))?;
    if is_new {
        sqlx::query("INSERT INTO meta (name, value) VALUES ('kind', $1)")
            .bind(kind.unwrap_or(StoreKind::Real).as_str())
            .persistent(false)
            .execute(&mut *transaction)
            .await
            .map_err(|error| unexpected(&error))?;
    }
    forget_statements(&mut transaction).await?;
    transaction.commit().await.map_err(|error| unexpected(&error))?;
    Ok(Migrated { from, to: SCHEMA.newest() })
}

/// The migrator prepares statements under names. Behind a pooler they stay on a connection that others get, and whose names
/// they would find taken.
async fn forget_statements(db: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("DEALLOCATE ALL").execute(db).await.map(drop).map_err(|error| unexpected(&error))
}

pub(super) async fn is_new(db: &mut PgConnection) -> Result<bool, StoreError> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_catalog.pg_tables
         WHERE schemaname = current_schema() AND tablename IN ('meta', '_sqlx_migrations')",
    )
    .persistent(false)
    .fetch_one(db)
    .await
    .map_err(|error| unexpected(&error))?;
    match tables {
        0 => Ok(true),
        2 => Ok(false),
        _ => Err(refused(
            "the database has tables that are not Postrider's: let storage.url name a database of its own",
        )),
    }
}

/// Whether this program may touch it. Returns the number of its schema.
pub(super) async fn check_schema(db: &mut PgConnection, kind: Option<StoreKind>) -> Result<i64, StoreError> {
    let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .persistent(false)
        .fetch_one(&mut *db)
        .await
        .map_err(|error| unexpected(&error))?;
    if SCHEMA.newest() < newest {
        return Err(refused(
            "the database was made by a newer Postrider: upgrade this program, or restore the backup made before that upgrade",
        ));
    }
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'kind'")
        .persistent(false)
        .fetch_optional(db)
        .await
        .map_err(|error| unexpected(&error))?;
    match found.as_deref() {
        Some(found) if kind.is_none_or(|kind| found == kind.as_str()) => Ok(newest),
        Some("sandbox") => Err(refused(
            "the database holds the sandbox's mail, which must never be sent: start with --sandbox, or name another database",
        )),
        Some("real") => Err(refused(
            "the database holds real mail, which the sandbox would swallow: start without --sandbox, or name another database",
        )),
        _ => {
            Err(refused("the database is damaged (its kind is not written in it): restore it from a backup"))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
