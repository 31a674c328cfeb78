//! The database's tables, as the sealed store and the keeper of the wrapped key see them.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_credential_store::{
    Cause, ContentSeal, DATA_KEY, NotOpened, PlacedRecord, SealedRecords, WrappedKeys,
};
use postrider_domain::{CredentialVersion, ResellerId};
use postrider_store::{
    ContentPart, ContentPlace, ContentSealer, DynStore, SealedRecord, Unopened, WrappedKey,
};

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
        // Credentials first, then the data keys.
        let (after, key_after) = match after {
            Some(key) if key.version.as_str() == DATA_KEY => (None, Some(&key.reseller)),
            record => (record.map(|record| (&record.reseller, record.version.as_str())), None),
        };
        let records = if key_after.is_some() { Vec::new() } else { self.0.list_sealed(after, PAGE).await? };
        if records.is_empty() {
            let keys = self.0.data_keys(key_after, PAGE).await?;
            return Ok(keys.into_iter().map(|(reseller, key)| placed_key(reseller, &key)).collect());
        }
        let placed = |(reseller, record): (ResellerId, SealedRecord)| PlacedRecord {
            reseller,
            version: CredentialVersion::of_store(record.version),
            sealed: record.ciphertext,
        };
        Ok(records.into_iter().map(placed).collect())
    }

    /// A data key is its reseller's only one.
    async fn is_in_use(&self, record: &PlacedRecord) -> Result<bool, Cause> {
        if record.version.as_str() == DATA_KEY {
            return Ok(true);
        }
        let settings = self.0.get_settings(&record.reseller).await?;
        Ok(settings.is_some_and(|settings| settings.credential.version == record.version))
    }

    async fn replace(&self, record: &PlacedRecord, sealed: Vec<u8>) -> Result<bool, Cause> {
        let PlacedRecord { reseller, version, sealed: until_now } = record;
        if version.as_str() == DATA_KEY {
            let [until_now, sealed] = [until_now.clone(), sealed].map(WrappedKey::of_bytes);
            return Ok(self.0.replace_data_key(reseller, &until_now, &sealed).await?);
        }
        Ok(self.0.replace_sealed(reseller, version.as_str(), until_now, &sealed).await?)
    }
}

fn placed_key(reseller: ResellerId, key: &WrappedKey) -> PlacedRecord {
    let (version, sealed) = (CredentialVersion::of_store(DATA_KEY), key.as_bytes().to_vec());
    PlacedRecord { reseller, version, sealed }
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

/// What seals mail, as the store sees it.
pub(crate) struct ContentPort(pub ContentSeal);

fn part(part: ContentPart) -> &'static [u8] {
    match part {
        ContentPart::Body => b"body",
        ContentPart::Subject => b"subject",
    }
}

fn unopened(error: NotOpened) -> Unopened {
    match error {
        NotOpened::Closed => Unopened::Closed,
        NotOpened::Unavailable(cause) => Unopened::Unavailable(cause.to_string()),
    }
}

#[async_trait]
impl ContentSealer for ContentPort {
    async fn fresh_key(&self, reseller: &ResellerId) -> Result<WrappedKey, Unopened> {
        let key = self.0.fresh_key(reseller).await.map_err(NotOpened::Unavailable);
        key.map(WrappedKey::of_bytes).map_err(unopened)
    }

    async fn seal(&self, key: &WrappedKey, at: ContentPlace<'_>, plain: &[u8]) -> Result<Vec<u8>, Unopened> {
        let bound = [at.message.as_bytes().as_slice(), part(at.part)];
        self.0.seal(at.reseller, key.as_bytes(), &bound, plain).await.map_err(unopened)
    }

    async fn open(&self, key: &WrappedKey, at: ContentPlace<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let bound = [at.message.as_bytes().as_slice(), part(at.part)];
        let opened = self.0.open(at.reseller, key.as_bytes(), &bound, sealed).await;
        opened.map(|mut opened| std::mem::take(&mut *opened)).map_err(unopened)
    }
}
