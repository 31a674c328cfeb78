//! The trait [`AccessStore`]: callers' keys.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::ResellerId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::cells::{Cells, json};
use super::writer::Write;
use super::{SqliteStore, failed};
use crate::{AccessKey, AccessStore, KeyHash, KeyId, Scope, StoreError};

const CREATE: &str = sql!("access/create");
const FIND: &str = sql!("access/find");
const LIST: &str = sql!("access/list");
const REVOKE: &str = sql!("access/revoke");
const TOUCH: &str = sql!("access/touch");
const ANY: &str = sql!("access/any");

const MINUTE_MICROS: i64 = 60_000_000;

#[async_trait]
impl AccessStore for SqliteStore {
    async fn create_key(&self, key: AccessKey) -> Result<(), StoreError> {
        self.write(CreateKey { key }).await
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        let row = sqlx::query(FIND).bind(id.as_str()).fetch_optional(&self.reader()).await.map_err(failed)?;
        row.map(|row| key(&row)).transpose()
    }

    async fn list_keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        let rows = sqlx::query(LIST).fetch_all(&self.reader()).await.map_err(failed)?;
        rows.iter().map(key).collect()
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Stamp { statement: REVOKE, id: id.clone(), micros: now.as_microsecond() }).await
    }

    async fn touch_key(&self, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        let minute = now.as_microsecond() - now.as_microsecond().rem_euclid(MINUTE_MICROS);
        // A key is used far more often than its minute changes: look before writing.
        let used = self.find_key(id).await?.map(|key| key.last_use_time.map_or(0, Timestamp::as_microsecond));
        if used.is_some_and(|used| used < minute) {
            self.write(Stamp { statement: TOUCH, id: id.clone(), micros: minute }).await?;
        }
        Ok(())
    }

    async fn has_held_a_key(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar(ANY).fetch_one(&self.reader()).await.map_err(failed)
    }
}

fn key(row: &SqliteRow) -> Result<AccessKey, StoreError> {
    let id: String = Cells::new(row, "access_keys", "a row").get("key_id")?;
    let cells = Cells::new(row, "access_keys", &id);
    let (scopes, resellers): (Vec<String>, Vec<String>) = (cells.json("scopes")?, cells.json("resellers")?);
    let scopes: Option<_> = scopes.iter().map(|name| Scope::parse(name)).collect();
    let resellers = resellers.iter().map(|text| ResellerId::parse(text)).collect::<Result<_, _>>();
    Ok(AccessKey {
        id: KeyId::of_text(id.as_str()),
        name: cells.get("name")?,
        hash: KeyHash(cells.bytes("hash")?),
        scopes: scopes.ok_or_else(|| cells.bad("scopes"))?,
        resellers: resellers.map_err(|_| cells.bad("resellers"))?,
        create_time: cells.time("create_time")?,
        expire_time: cells.optional_time("expire_time")?,
        last_use_time: cells.optional_time("last_use_time")?,
        revoke_time: cells.optional_time("revoke_time")?,
    })
}

struct CreateKey {
    key: AccessKey,
}

impl Write for CreateKey {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let key = &self.key;
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let resellers: Vec<_> = key.resellers.iter().map(ResellerId::as_str).collect();
        sqlx::query(CREATE)
            .bind(key.id.as_str())
            .bind(key.name.as_str())
            .bind(key.hash.0.as_slice())
            .bind(json(&scopes))
            .bind(json(&resellers))
            .bind(key.create_time.as_microsecond())
            .bind(key.expire_time.map(Timestamp::as_microsecond))
            .bind(key.last_use_time.map(Timestamp::as_microsecond))
            .bind(key.revoke_time.map(Timestamp::as_microsecond))
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

/// Writes a time of a key; whether there was such a key to write to.
struct Stamp {
    statement: &'static str,
    id: KeyId,
    micros: i64,
}

impl Write for Stamp {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let query = sqlx::query(self.statement).bind(self.id.as_str()).bind(self.micros);
        Ok(query.execute(db).await.map_err(failed)?.rows_affected() > 0)
    }
}
