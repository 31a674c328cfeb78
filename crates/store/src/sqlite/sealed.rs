//! The trait [`SealedStore`]: ciphertext by reseller and version.

use async_trait::async_trait;
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
        let Some(row) = row else {
            return Ok(None);
        };
        let cells = Cells::new(&row, "sealed_credentials", reseller.as_str());
        Ok(Some(SealedRecord {
            version: cells.get("version")?,
            ciphertext: cells.get("ciphertext")?,
            create_time: cells.time("create_time")?,
        }))
    }

    async fn prune_sealed(&self, reseller: &ResellerId, keep: Option<&str>) -> Result<(), StoreError> {
        self.write(Prune { reseller: reseller.clone(), keep: keep.map(str::to_owned) }).await
    }
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
}

impl Write for Prune {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let query = sqlx::query(PRUNE).bind(self.reseller.as_str()).bind(self.keep.as_deref());
        query.execute(db).await.map_err(failed)?;
        Ok(())
    }
}
