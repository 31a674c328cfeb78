//! The trait [`CredentialChanges`].

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{CredentialInfo, CredentialVersion, ResellerId};
use sqlx::SqliteConnection;

use super::cells::Cells;
use super::writer::Write;
use super::{SqliteStore, failed};
use crate::{ChangeId, CredentialChanges, StoreError};

const BEGIN: &str = sql!("change/begin");
const COMMIT: &str = sql!("change/commit");
const DUE: &str = sql!("change/due");
const CLOSE: &str = sql!("change/close");
const END: &str = sql!("change/end");
const ADOPT: &str = sql!("change/adopt");
const ADOPTED: &str = sql!("change/adopted");

#[async_trait]
impl CredentialChanges for SqliteStore {
    async fn begin_change(
        &self,
        reseller: &ResellerId,
        change: ChangeId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Begin { reseller: reseller.clone(), change, now }).await
    }

    async fn due_changes(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ResellerId, Timestamp)>, StoreError> {
        let rows = sqlx::query(DUE)
            .bind(before.as_microsecond())
            .bind(i64::from(limit))
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        let due = rows.iter().map(|row| {
            let cells = Cells::new(row, "credential_changes", "a row");
            let reseller = cells.parsed("reseller", |text| ResellerId::parse(text).ok())?;
            Ok((reseller, cells.time("change_time")?))
        });
        due.collect()
    }

    async fn close_changes(&self, reseller: &ResellerId, before: Timestamp) -> Result<(), StoreError> {
        self.write(Of { sql: CLOSE, reseller: reseller.clone(), before }).await
    }

    async fn end_changes(&self, reseller: &ResellerId, before: Timestamp) -> Result<(), StoreError> {
        self.write(Of { sql: END, reseller: reseller.clone(), before }).await
    }

    async fn adopt_credential(
        &self,
        reseller: &ResellerId,
        until_now: &CredentialVersion,
        credential: &CredentialInfo,
        works: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (reseller, until_now, credential) = (reseller.clone(), until_now.clone(), credential.clone());
        self.write(Adopt { reseller, until_now, credential, works, now }).await
    }
}

/// Whether the change is still there to be committed, as part of the put of the settings.
pub(super) async fn commit(
    reseller: &ResellerId,
    change: ChangeId,
    now: Timestamp,
    db: &mut SqliteConnection,
) -> Result<bool, StoreError> {
    let done = sqlx::query(COMMIT)
        .bind(reseller.as_str())
        .bind(change.0.simple().to_string())
        .bind(now.as_microsecond())
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(done.rows_affected() == 1)
}

struct Begin {
    reseller: ResellerId,
    change: ChangeId,
    now: Timestamp,
}

impl Write for Begin {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(BEGIN)
            .bind(self.reseller.as_str())
            .bind(self.change.0.simple().to_string())
            .bind(self.now.as_microsecond())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

/// A statement about what of a reseller's began before a moment.
struct Of {
    sql: &'static str,
    reseller: ResellerId,
    before: Timestamp,
}

impl Write for Of {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let query = sqlx::query(self.sql).bind(self.reseller.as_str()).bind(self.before.as_microsecond());
        query.execute(db).await.map_err(failed)?;
        Ok(())
    }
}

struct Adopt {
    reseller: ResellerId,
    until_now: CredentialVersion,
    credential: CredentialInfo,
    works: bool,
    now: Timestamp,
}

impl Write for Adopt {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let Self { reseller, until_now, credential, works, now } = self;
        let revision: Option<i64> = sqlx::query_scalar(ADOPT)
            .bind(reseller.as_str())
            .bind(until_now.as_str())
            .bind(credential.kind.as_str())
            .bind(credential.fingerprint.as_str())
            .bind(credential.version.as_str())
            .bind(credential.create_time.as_microsecond())
            .bind(credential.expire_time.map(Timestamp::as_microsecond))
            .bind(now.as_microsecond())
            .bind(*works)
            .fetch_optional(&mut *db)
            .await
            .map_err(failed)?;
        let Some(revision) = revision else { return Ok(false) };
        let query = sqlx::query(ADOPTED).bind(reseller.as_str()).bind(revision).bind(*works);
        query.execute(db).await.map_err(failed)?;
        Ok(true)
    }
}
