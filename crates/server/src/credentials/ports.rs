//! The database's tables, as the sealed store and the keeper of the wrapped key see them.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_credential_store::{Cause, PlacedRecord, SealedRecords, WrappedKeys};
use postrider_domain::{CredentialVersion, ResellerId};
use postrider_store::{DynStore, SealedRecord};

/// Records read at a time.
const PAGE: u32 = 200;

pub(crate) struct SealedPort(pub DynStore);

#[async_trait]
impl SealedRecords for SealedPort {
    async fn put(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let record =
            SealedRecord { version: version.as_str().to_owned(), ciphertext: sealed, create_time: now };
        Ok(self.0.put_sealed(reseller, record).await?)
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Option<Vec<u8>>, Cause> {
        Ok(self.0.get_sealed(reseller, version.as_str()).await?.map(|record| record.ciphertext))
    }

    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), Cause> {
        Ok(self.0.prune_sealed(reseller, keep.map(CredentialVersion::as_str), put_before).await?)
    }

    async fn list(&self, after: Option<&PlacedRecord>) -> Result<Vec<PlacedRecord>, Cause> {
        let after = after.map(|record| (&record.reseller, record.version.as_str()));
        let records = self.0.list_sealed(after, PAGE).await?;
        let placed = |(reseller, record): (ResellerId, SealedRecord)| PlacedRecord {
            reseller,
            version: CredentialVersion::of_store(record.version),
            sealed: record.ciphertext,
        };
        Ok(records.into_iter().map(placed).collect())
    }

    async fn replace(&self, record: &PlacedRecord, sealed: Vec<u8>) -> Result<bool, Cause> {
        let PlacedRecord { reseller, version, sealed: until_now } = record;
        Ok(self.0.replace_sealed(reseller, version.as_str(), until_now, &sealed).await?)
    }
}

#[async_trait]
impl WrappedKeys for SealedPort {
    async fn get(&self) -> Result<Option<String>, Cause> {
        Ok(self.0.key_ring().await?)
    }

    async fn swap(&self, until_now: Option<&str>, wrapped: &str) -> Result<bool, Cause> {
        Ok(self.0.swap_key_ring(until_now, wrapped).await?)
    }
}
