//! Sealed credentials, and which local key seals them.

use postrider_domain::ResellerId;

use super::Write;
use crate::book::{Book, Needs};
use crate::{SealedRecord, StoreError};

const KEY_ID: &str = "local_key";

/// Remembers, the first time, which key belongs to this database.
pub(crate) struct BindKey {
    pub key_id: String,
}

impl Write for BindKey {
    type Answer = bool;

    const NAME: &'static str = "bind_key";

    fn needs(&self, needs: &mut Needs) {
        needs.meta.insert(KEY_ID);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        if let Some(bound) = book.meta.get(&KEY_ID) {
            return Ok(*bound == self.key_id);
        }
        book.meta.insert(KEY_ID, self.key_id.clone());
        Ok(true)
    }
}

pub(crate) struct PutSealed {
    pub reseller: ResellerId,
    pub record: SealedRecord,
}

impl Write for PutSealed {
    type Answer = ();

    const NAME: &'static str = "put_sealed";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, _: &mut Needs) {}

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        let key = (self.reseller.clone(), self.record.version.clone());
        book.written.sealed.insert(key, self.record.clone());
        Ok(())
    }
}

pub(crate) struct PruneSealed {
    pub reseller: ResellerId,
    pub keep: Option<String>,
}

impl Write for PruneSealed {
    type Answer = ();

    const NAME: &'static str = "prune_sealed";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, _: &mut Needs) {}

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        book.written.pruned.push((self.reseller.clone(), self.keep.clone()));
        Ok(())
    }
}
