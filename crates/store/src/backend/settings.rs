//! The trait [`SettingsStore`].

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Etag, Fingerprint, ResellerId, Settings, SettingsValues, Usage};

use super::Backend;
use crate::book::source_of;
use crate::reads::Reads;
use crate::verbs::{CancelWaiting, DeleteSettings, IsSourceTaken, PutSettings, SettingsWork};
use crate::{Deleted, NewSettings, Put, SettingsFilter, SettingsPage, SettingsStore, StoreError};

/// Hours of which the first reaches a day back.
const DAY_HOURS: i64 = 24;

#[async_trait]
impl<B: Backend> SettingsStore for B {
    async fn put_settings(&self, new: NewSettings) -> Result<Put, StoreError> {
        let reseller = new.reseller.clone();
        if let Some(refused) = self.write(PutSettings { new: Arc::new(new) }).await? {
            return Ok(refused);
        }
        self.passed_over().forget(reseller.as_str());
        let saved = self.reads().settings(&reseller).await?;
        saved.map(|saved| Put::Saved(Box::new(saved))).ok_or_else(|| StoreError::Inconsistent {
            table: "settings",
            column: "reseller",
            row: reseller.to_string(),
        })
    }

    async fn is_source_taken(
        &self,
        reseller: &ResellerId,
        values: &SettingsValues,
        source: &Fingerprint,
    ) -> Result<bool, StoreError> {
        let (source, directory) = (source_of(values, source), values.directory.to_string());
        self.write(IsSourceTaken { reseller: reseller.clone(), source, directory }).await
    }

    async fn get_settings(&self, reseller: &ResellerId) -> Result<Option<Settings>, StoreError> {
        self.reads().settings(reseller).await
    }

    async fn usage(&self, reseller: &ResellerId, now: Timestamp) -> Result<Usage, StoreError> {
        let first_hour = now.as_second().div_euclid(3_600) - DAY_HOURS;
        self.reads().usage(reseller, first_hour).await
    }

    async fn list_settings(&self, filter: SettingsFilter) -> Result<SettingsPage, StoreError> {
        self.reads().settings_page(filter).await
    }

    async fn delete_settings(
        &self,
        reseller: &ResellerId,
        expected: Option<&Etag>,
        cancel_unfinished: bool,
        now: Timestamp,
    ) -> Result<Deleted, StoreError> {
        let (reseller, expected) = (reseller.clone(), expected.cloned());
        loop {
            let some = || CancelWaiting { reseller: reseller.clone(), expected: expected.clone(), now };
            while cancel_unfinished && self.write(some()).await? {}
            let (reseller, expected) = (reseller.clone(), expected.clone());
            match self.write(DeleteSettings { reseller, expected, cancel_unfinished, now }).await? {
                Deleted::Unfinished(_) if cancel_unfinished => {}
                deleted => return Ok(deleted),
            }
        }
    }

    async fn settings_work(&self, reseller: &ResellerId, etag: &Etag) -> Result<(), StoreError> {
        self.write(SettingsWork { reseller: reseller.clone(), etag: etag.clone() }).await
    }
}
