//! `postrider credentials migrate`: from one store into the other, one reseller after another.
//!
//! A credential is put into the new store, read back and compared, and then the settings name it there. So each reseller is
//! in one store or the other at any time, a run that was killed is gone on with by the next, and one that fails for a
//! reseller leaves that one where it was. What was moved is destroyed in the old store by the running service, after
//! `credentials.keep_replaced`.

use postrider_credential_store::{ByAnotherHand, Change, CredentialStoreError, fingerprint};
use postrider_domain::{CredentialInfo, ResellerId, Settings};
use postrider_store::{ChangeId, DynStore, SettingsFilter, StoreError};

use super::stores::CredentialStores;
use crate::config::{Config, CredentialStoreKind};
use crate::offline::{Offline, OfflineError};
use crate::status::with_sources;

const PAGE: u32 = 200;

#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub from: CredentialStoreKind,
    pub to: CredentialStoreKind,
    /// Reads all that would be moved, and writes nothing.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub moved: u64,
    /// That were in the new store already.
    pub there: u64,
    /// Who was left where they were, and why.
    pub failed: Vec<(ResellerId, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Offline(#[from] OfflineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store to move to cannot be used")]
    Credentials(#[from] CredentialStoreError),
}

/// Why one reseller stays where it was.
#[derive(Debug, thiserror::Error)]
enum NotMoved {
    #[error("{}", with_sources(.0))]
    Credentials(#[from] CredentialStoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "another hand wrote version {number} into Vault, which is not in use: let the running service take it, or put \
         the settings, or destroy it in Vault, and run the command again"
    )]
    NotTaken { number: String },
    #[error("what was read back is not what was written")]
    Differs,
    #[error("the settings were changed meanwhile: run the command again")]
    Changed,
}

/// `progress` is told how many of how many resellers were looked at.
pub async fn migrate(
    config: &Config,
    migration: Migration,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Migrated, MigrateError> {
    let offline = Offline::open(config).await?;
    let run = Run { store: offline.store(), stores: offline.stores(config), key: &offline, migration };
    let migrated = run.all(&mut progress).await;
    offline.close().await;
    migrated
}

struct Run<'a> {
    store: DynStore,
    stores: CredentialStores,
    key: &'a Offline,
    migration: Migration,
}

impl Run<'_> {
    async fn all(&self, progress: &mut (impl FnMut(u64, u64) + Send)) -> Result<Migrated, MigrateError> {
        self.stores.kind(self.migration.to)?;
        self.stores.kind(self.migration.from)?;
        let resellers = self.resellers().await?;
        let (mut migrated, total) = (Migrated::default(), resellers.len() as u64);
        for (reseller, count) in resellers.into_iter().zip(1..) {
            let Some(settings) = self.store.get_settings(&reseller).await? else { continue };
            if CredentialStoreKind::of(&settings.credential.version) == self.migration.to {
                migrated.there += 1;
            } else {
                match self.one(&settings).await {
                    Ok(()) => migrated.moved += 1,
                    Err(error) => migrated.failed.push((reseller, error.to_string())),
                }
            }
            progress(count, total);
        }
        Ok(migrated)
    }

    async fn resellers(&self) -> Result<Vec<ResellerId>, StoreError> {
        let mut all: Vec<ResellerId> = Vec::new();
        loop {
            let filter =
                SettingsFilter { after: all.last().cloned(), limit: PAGE, ..SettingsFilter::default() };
            let page = self.store.list_settings(filter).await?;
            all.extend(page.settings.into_iter().map(|settings| settings.reseller));
            if !page.more {
                return Ok(all);
            }
        }
    }

    async fn one(&self, settings: &Settings) -> Result<(), NotMoved> {
        let (reseller, until_now) = (&settings.reseller, &settings.credential);
        let (from, to) = (self.stores.kind(self.migration.from)?, self.stores.kind(self.migration.to)?);
        let credential = from.get(reseller, &until_now.version).await?;
        // Once it has moved, nobody would look at what else lies there, and it would be destroyed.
        let ByAnotherHand { put, unusable, .. } = from.by_another_hand(reseller, until_now).await?;
        if let Some(version) = unusable.map(|(version, _)| version).or(put.map(|put| put.version)) {
            let number = version.as_str().split('-').next().unwrap_or_default().to_owned();
            return Err(NotMoved::NotTaken { number });
        }
        if self.migration.dry_run {
            return Ok(());
        }
        let now = self.key.clock.now();
        let change = Change {
            id: uuid::Uuid::new_v4(),
            by: "postrider credentials migrate".to_owned(),
            time: now,
            in_use: Some(until_now.version.clone()),
        };
        self.store.begin_change(reseller, ChangeId(change.id), now).await?;
        let put = to.put(reseller, &credential, &change).await?;
        let read_back = to.get(reseller, &put.version).await?;
        let same = fingerprint(&read_back, &self.key.keys.key) == put.fingerprint
            && read_back.expire_time() == credential.expire_time()
            && put.fingerprint == fingerprint(&credential, &self.key.keys.key);
        if !same {
            return Err(NotMoved::Differs);
        }
        let moved = CredentialInfo { create_time: until_now.create_time, ..put };
        let adopted = self.store.adopt_credential(reseller, &until_now.version, &moved, false, now).await?;
        if adopted { Ok(()) } else { Err(NotMoved::Changed) }
    }
}
