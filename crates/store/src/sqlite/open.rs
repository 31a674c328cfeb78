//! Opening: finds or makes the file, checks it, brings its schema up to date, tidies up after the process before.
//!
//! Whoever runs Postrider reads these errors first, so each is one sentence that names the thing and the mend.
//!
//! Rules
//! - The file is locked before anything is read or written: two processes never both have it.
//! - A file that is there is never recreated: what cannot be read is refused.
//! - A new file is made under another name and renamed once it is whole, so that a half-made one is never found.
//! - Migrations go forward only. A file of a newer Postrider, or of the other kind, is not touched.
//! - After a COMMIT of unknown outcome the file is checkpointed too: what is read after it is on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Finding, FindingCode};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{SQLITE_FULL, result_code};
use crate::schema::Schema;
use crate::sql::FindingCells;
use crate::{StoreError, StoreKind};

/// The first version without the WAL-reset corruption (3.7.0 to 3.51.2).
const SQLITE_MIN: [u32; 3] = [3, 51, 3];
/// How long to wait for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read.
pub(super) const READERS: u32 = 4;
/// Files up to this size are checked whole when they are opened; it takes well under a second.
const CHECKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

const RECOVER: &str = include_str!("../../sql/sqlite/open/recover.sql");

pub(crate) const SCHEMA: Schema = Schema(&[
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "one row a reseller", include_str!("../../migrations/sqlite/0002_one_row_a_reseller.sql")),
    (3, "credential changes", include_str!("../../migrations/sqlite/0003_credential_changes.sql")),
    (4, "federated", include_str!("../../migrations/sqlite/0004_federated.sql")),
    (5, "pace", include_str!("../../migrations/sqlite/0005_pace.sql")),
    (6, "audit", include_str!("../../migrations/sqlite/0006_audit.sql")),
    (7, "data keys", include_str!("../../migrations/sqlite/0007_data_keys.sql")),
    (8, "waits", include_str!("../../migrations/sqlite/0008_waits.sql")),
    (9, "asked", include_str!("../../migrations/sqlite/0009_asked.sql")),
    (10, "audit stays", include_str!("../../migrations/sqlite/0010_audit_stays.sql")),
    (11, "asked elsewhere", include_str!("../../migrations/sqlite/0011_asked_elsewhere.sql")),
]);

/// The connections of an open file.
pub(super) struct Opened {
    pub writer: SqliteConnection,
    pub reader: SqlitePool,
}

/// No other process has the file as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Which file, and what must be in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Absent: whatever it is.
    kind: Option<StoreKind>,
}

impl Place {
    pub(super) fn new(path: &Path, kind: Option<StoreKind>) -> Self {
        Self { path: path.to_owned(), kind }
    }

    /// Keeps every other process from the file; whoever writes to it has this. The lock's own file stays, for another
    /// may be waiting at it.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        let directory = self.directory();
        if !directory.is_dir() {
            let directory = directory.display();
            return Err(StoreError::Open(format!(
                "{directory} is not there: make the data directory, or name another"
            )));
        }
        // One file has one lock, by whatever link it is reached.
        let mut path =
            std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()).into_os_string();
        path.push(".lock");
        let unlocked =
            |cause| self.error(&format!("cannot be locked ({cause}): let this user write to its directory"));
        let file = private().create(true).truncate(false).open(path).map_err(unlocked)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Open(format!("another postrider has {}; stop it", self.path.display())))
            }
            Err(TryLockError::Error(cause)) => Err(unlocked(cause)),
        }
    }

    /// For the first time in this process, and under its lock: nobody holds a lane.
    pub(super) async fn open(&self, _: &Lock, now: Timestamp) -> Result<Opened, StoreError> {
        if !self.is_there()? {
            self.make().await?;
        }
        let mut writer = self.connect_writer().await?;
        self.check(&mut writer).await?;
        self.check_pages(&mut writer).await?;
        SCHEMA.migrator().run(&mut writer).await.map_err(|error| self.refused(&error))?;
        recover(&mut writer, now).await.map_err(|error| self.unreadable(&error))?;
        self.with_reader(writer).await
    }

    /// After a failure of this process's connections: leases live on.
    pub(super) async fn reopen(&self) -> Result<Opened, StoreError> {
        let mut writer = self.connect_writer().await?;
        self.check(&mut writer).await?;
        let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut writer)
            .await
            .map_err(|error| self.unreadable(&error))?;
        if busy != 0 {
            return Err(self.error("is locked by another process: end that process"));
        }
        self.with_reader(writer).await
    }

    async fn with_reader(&self, writer: SqliteConnection) -> Result<Opened, StoreError> {
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(self.options().read_only(true))
            .await
            .map_err(|error| self.unreadable(&error))?;
        Ok(Opened { writer, reader })
    }

    pub(super) fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging()
    }

    pub(super) async fn connect_writer(&self) -> Result<SqliteConnection, StoreError> {
        let options = self
            .options()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What is deleted is overwritten: a sealed credential lies beside the key that opens it.
            .pragma("secure_delete", "ON");
        options.connect().await.map_err(|error| self.unreadable(&error))
    }

    pub(super) fn directory(&self) -> &Path {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    pub(super) fn is_there(&self) -> Result<bool, StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(found) if found.len() == 0 && found.is_file() => Err(self.error(
                "is empty, which a database never is: restore it from a backup, or delete it to begin anew",
            )),
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(self.error("is not a file: name another data directory")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => {
                Err(self.error(&format!("cannot be read ({error}): let this user read and write it")))
            }
        }
    }

    /// A new file, whole or not at all.
    async fn make(&self) -> Result<(), StoreError> {
        let unmade = |error: &dyn std::fmt::Display| {
            self.error(&format!(
                "cannot be made ({error}): let this user write to its directory, and see to free space"
            ))
        };
        let draft = Self::new(&self.path.with_extension("db.new"), self.kind);
        for leftover in [draft.path.clone(), self.path.with_extension("db.new-journal")] {
            match std::fs::remove_file(leftover) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(unmade(&error)),
                _ => {}
            }
        }
        private().create_new(true).open(&draft.path).map_err(|error| unmade(&error))?;
        let options = draft.options().synchronous(SqliteSynchronous::Full);
        let mut db = options.connect().await.map_err(|error| unmade(&error))?;
        SCHEMA.migrator().run(&mut db).await.map_err(|error| unmade(&error))?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('kind', $1)")
            .bind(self.kind.unwrap_or(StoreKind::Real).as_str())
            .execute(&mut db)
            .await
            .map_err(|error| unmade(&error))?;
        db.close().await.map_err(|error| unmade(&error))?;
        std::fs::rename(&draft.path, &self.path).map_err(|error| unmade(&error))?;
        sync_directory(self.directory()).map_err(|error| unmade(&error))
    }

    /// Whether this program may touch this file. Returns the number of its schema.
    pub(super) async fn check(&self, db: &mut SqliteConnection) -> Result<i64, StoreError> {
        let unreadable = |error| self.unreadable(&error);
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *db).await.map_err(unreadable)?;
        if !is_sqlite_sound(&version) {
            return Err(StoreError::Open(format!(
                "SQLite {version} can corrupt a database: build with SQLite 3.51.3 or newer"
            )));
        }
        let tables: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('meta', '_sqlx_migrations')",
        )
        .fetch_one(&mut *db)
        .await
        .map_err(unreadable)?;
        if tables != 2 {
            return Err(self.error("is a database, but not Postrider's: name another data directory"));
        }
        let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut *db)
            .await
            .map_err(unreadable)?;
        if SCHEMA.newest() < newest {
            return Err(self.error(
                "was made by a newer Postrider: upgrade this program, or restore the backup made before that upgrade",
            ));
        }
        let kind: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'kind'")
            .fetch_optional(&mut *db)
            .await
            .map_err(unreadable)?;
        match kind.as_deref() {
            Some(kind) if self.kind.is_none_or(|own| kind == own.as_str()) => Ok(newest),
            Some("sandbox") => Err(self.error(
                "holds the sandbox's mail, which must never be sent: start with --sandbox, or name another data directory",
            )),
            Some("real") => Err(self.error(
                "holds real mail, which the sandbox would swallow: start without --sandbox, or name another data directory",
            )),
            _ => Err(self.corrupt("its kind is not written in it")),
        }
    }

    async fn check_pages(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let bytes = std::fs::metadata(&self.path).map_or(0, |found| found.len());
        if bytes > CHECKED_BYTES_MAX {
            return Ok(());
        }
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(db)
            .await
            .map_err(|error| self.unreadable(&error))?;
        if found == "ok" { Ok(()) } else { Err(self.corrupt(&found)) }
    }

    pub(super) fn error(&self, what: &str) -> StoreError {
        StoreError::Open(format!("{} {what}", self.path.display()))
    }

    fn corrupt(&self, cause: &str) -> StoreError {
        self.error(&format!("is damaged ({}): restore it from a backup", one_line(cause)))
    }

    /// SQLite's own primary result codes, by what the operator can do.
    pub(super) fn unreadable(&self, error: &sqlx::Error) -> StoreError {
        let cause = one_line(&error.to_string());
        match result_code(error) {
            Some(26) => self
                .error("is not a SQLite database: restore it from a backup, or name another data directory"),
            Some(11) => self.corrupt(&cause),
            Some(5 | 6) => self.error("is locked by another process: end that process"),
            Some(SQLITE_FULL) => self.error("cannot be written, for the disk is full: free some space"),
            _ => self.error(&format!(
                "cannot be opened ({cause}): let this user read and write it and its directory"
            )),
        }
    }

    pub(super) fn refused(&self, error: &sqlx::migrate::MigrateError) -> StoreError {
        let cause = one_line(&error.to_string());
        self.error(&format!("cannot be brought up to date ({cause}): restore it from a backup, or use the Postrider that made it"))
    }
}

/// Leases of the process before are void, and what it left open is looked after.
async fn recover(db: &mut SqliteConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    let finding = Finding::new(FindingCode::OutcomeUnknown)
        .with("reason", "the process that made the call ended before the answer was written down");
    let cells = FindingCells::of(Some(&finding));
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(RECOVER)
        .bind(now.as_microsecond())
        .bind(cells.code)
        .bind(cells.class)
        .bind(cells.evidence)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

fn is_sqlite_sound(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    parts.len() >= 3 && parts.as_slice() >= SQLITE_MIN.as_slice()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file that is made is this user's alone; SQLite gives its other files the rights of the database.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A rename is on disk once its directory is.
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    if cfg!(unix) { std::fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::is_sqlite_sound;

    #[test]
    fn only_a_sqlite_without_the_wal_reset_corruption_will_do() {
        for sound in ["3.51.3", "3.52.0", "4.0.0"] {
            assert!(is_sqlite_sound(sound), "{sound}");
        }
        for unsound in ["3.51.2", "3.40.1", "3.7.0", "3.51", ""] {
            assert!(!is_sqlite_sound(unsound), "{unsound}");
        }
    }
}
