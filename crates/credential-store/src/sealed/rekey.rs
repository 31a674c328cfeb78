//! A new key that seals, in the place of the one until now.
//!
//! 1. The keeper gets a key with both: the new one seals, the old one still opens.
//! 2. Record by record the data key is sealed anew; no credential is opened for it but to see that it is whole.
//! 3. Once no record needs it, the keeper gets the key without the old one.
//!
//! Killed anywhere, it goes on where it was: a key with two that open says that step 2 is not through. A record that does
//! not open is named, and the old key stays; unless nothing names the record any more: then it opens with no key as well.

use postrider_domain::{CredentialVersion, ResellerId};

use super::envelope::{Place, reseal};
use super::{PlacedRecord, SealedRecords};
use crate::{Cause, KeyError, KeyKeeper, LocalKey};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rekeyed {
    pub records: u64,
    /// Records that open with no key, and that nothing names any more: they were left as they are.
    pub left: u64,
    /// Whether an earlier run was gone on with, and no new key made.
    pub resumed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the sealed records cannot be reached")]
    Records {
        #[source]
        cause: Cause,
    },
    #[error(
        "the stored credential of {reseller} in version {} is damaged: save the settings with it again, or delete \
         them, and run the command again; until then the old key stays", version.as_str()
    )]
    Damaged { reseller: ResellerId, version: CredentialVersion },
}

/// `progress` is told how many records were looked at.
pub async fn rekey(
    records: &dyn SealedRecords,
    keeper: &dyn KeyKeeper,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Rekeyed, RekeyError> {
    let mut key = keeper.load().await?;
    let resumed = key.is_being_replaced();
    if !resumed {
        key = key.with_new_sealing_key()?;
        keeper.replace(&key).await?;
        key = keeper.load().await?;
    }
    let mut records_seen = 0;
    let left = loop {
        let pass = pass(records, &key, &mut progress).await?;
        records_seen = pass.seen.max(records_seen);
        // What was put meanwhile by a process that still had the old key alone is found by another pass.
        if pass.resealed == 0 {
            break pass.left;
        }
    };
    keeper.replace(&key.with_newest_sealing_key_alone()).await?;
    Ok(Rekeyed { records: records_seen, left, resumed })
}

#[derive(Default)]
struct Pass {
    seen: u64,
    left: u64,
    resealed: u64,
}

async fn pass(
    records: &dyn SealedRecords,
    key: &LocalKey,
    progress: &mut (impl FnMut(u64) + Send),
) -> Result<Pass, RekeyError> {
    let (mut after, mut pass): (Option<PlacedRecord>, Pass) = (None, Pass::default());
    loop {
        let page = records.list(after.as_ref()).await.map_err(away)?;
        let Some(last) = page.last().cloned() else { return Ok(pass) };
        for record in page {
            let PlacedRecord { reseller, version, sealed } = &record;
            let Ok(resealed) = reseal(key, Place { reseller, version }, sealed) else {
                if records.is_in_use(&record).await.map_err(away)? {
                    let (reseller, version) = (reseller.clone(), version.clone());
                    return Err(RekeyError::Damaged { reseller, version });
                }
                pass.left += 1;
                continue;
            };
            if let Some(resealed) = resealed {
                // A record that changed meanwhile was sealed by the new key, or is gone.
                records.replace(&record, resealed).await.map_err(away)?;
                pass.resealed += 1;
            }
            pass.seen += 1;
            progress(pass.seen);
        }
        after = Some(last);
    }
}

fn away(cause: Cause) -> RekeyError {
    RekeyError::Records { cause }
}
