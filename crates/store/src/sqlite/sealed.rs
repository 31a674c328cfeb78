//! The trait [`SealedStore`]: ciphertext by reseller and version.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::ResellerId;
use sqlx::SqliteConnection;

use super::cells::Cells;
use super::writer::Write;
use super::{SqliteStore, failed};
use crate::{SealedRecord, SealedStore, StoreError};

const BIND_KEY: &str = sql!("sealed/bind_key");
const PUT: &str = sql!("sealed/put");
const GET: &str = sql!("sealed/get");
const PRUNE: &str = sql!("sealed/prune");
const LIST: &str = sql!("sealed/list");
const REPLACE: &str = sql!("sealed/replace");
const KEY_RING: &str = sql!("sealed/key_ring");
const SWAP_KEY_RING: &str = sql!("sealed/swap_key_ring");

#[async_trait]
impl SealedStore for SqliteStore {
    async fn bind_key(&self, key_id: &str) -> Result<bool, StoreError> {
        self.write(BindKey { key_id: key_id.to_owned() }).await
    }

    async fn put_sealed(&self, reseller: &ResellerId, record: SealedRecord) -> Result<(), StoreError> {
        self.write(PutSealed { reseller: reseller.clone(), record }).await
    }

    async fn get_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
    ) -> Result<Option<SealedRecord>, StoreError> {
        let row = sqlx::query(GET)
            .bind(reseller.as_str())
            .bind(version)
            .fetch_optional(&self.reader())
            .await
            .map_err(failed)?;
        row.map(|row| record(Cells::new(&row, TABLE, reseller.as_str()))).transpose()
    }

    async fn prune_sealed(
        &self,
        reseller: &ResellerId,
        keep: Option<&str>,
        put_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Prune { reseller: reseller.clone(), keep: keep.map(str::to_owned), put_before }).await
    }

    async fn list_sealed(
        &self,
        after: Option<(&ResellerId, &str)>,
        limit: u32,
    ) -> Result<Vec<(ResellerId, SealedRecord)>, StoreError> {
        let (reseller, version) = after.map_or(("", ""), |(reseller, version)| (reseller.as_str(), version));
        let rows = sqlx::query(LIST)
            .bind(reseller)
            .bind(version)
            .bind(i64::from(limit))
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        let listed = rows.iter().map(|row| {
            let reseller =
                Cells::new(row, TABLE, "a row").parsed("reseller", |text| ResellerId::parse(text).ok())?;
            let record = record(Cells::new(row, TABLE, reseller.as_str()))?;
            Ok((reseller, record))
        });
        listed.collect()
    }

    async fn replace_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
        until_now: &[u8],
        ciphertext: &[u8],
    ) -> Result<bool, StoreError> {
        let (reseller, version) = (reseller.clone(), version.to_owned());
        let (until_now, ciphertext) = (until_now.to_owned(), ciphertext.to_owned());
        self.write(Replace { reseller, version, until_now, ciphertext }).await
    }

    async fn key_ring(&self) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(KEY_RING).fetch_optional(&self.reader()).await.map_err(failed)
    }

    async fn swap_key_ring(&self, until_now: Option<&str>, ring: &str) -> Result<bool, StoreError> {
        self.write(SwapKeyRing { until_now: until_now.map(str::to_owned), ring: ring.to_owned() }).await
    }
}

const TABLE: &str = "sealed_credentials";

fn record(cells: Cells<'_>) -> Result<SealedRecord, StoreError> {
    Ok(SealedRecord {
        version: cells.get("version")?,
        ciphertext: cells.get("ciphertext")?,
        create_time: cells.time("create_time")?,
    })
}

struct BindKey {
    key_id: String,
}

impl Write for BindKey {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let row = sqlx::query(BIND_KEY).bind(self.key_id.as_str()).fetch_one(db).await.map_err(failed)?;
        Cells::new(&row, "meta", "local_key").get("is_bound")
    }
}

struct PutSealed {
    reseller: ResellerId,
    record: SealedRecord,
}

impl Write for PutSealed {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(PUT)
            .bind(self.reseller.as_str())
            .bind(self.record.version.as_str())
            .bind(self.record.ciphertext.as_slice())
            .bind(self.record.create_time.as_microsecond())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

struct Prune {
    reseller: ResellerId,
    keep: Option<String>,
    put_before: Timestamp,
}

impl Write for Prune {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(PRUNE)
            .bind(self.reseller.as_str())
            .bind(self.keep.as_deref())
            .bind(self.put_before.as_microsecond())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

struct Replace {
    reseller: ResellerId,
    version: String,
    until_now: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Write for Replace {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let done = sqlx::query(REPLACE)
            .bind(self.reseller.as_str())
            .bind(self.version.as_str())
            .bind(self.until_now.as_slice())
            .bind(self.ciphertext.as_slice())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }
}

struct SwapKeyRing {
    until_now: Option<String>,
    ring: String,
}

impl Write for SwapKeyRing {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let query = sqlx::query(SWAP_KEY_RING).bind(self.until_now.as_deref()).bind(self.ring.as_str());
        Ok(query.execute(db).await.map_err(failed)?.rows_affected() == 1)
    }
}
