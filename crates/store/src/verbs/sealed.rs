//! Sealed credentials, and which local key seals them.

use jiff::Timestamp;
use postrider_domain::ResellerId;

use super::Write;
use crate::book::{Book, Needs, SealedKey};
use crate::{SealedRecord, StoreError};

const KEY_ID: &str = "local_key";
const KEY_RING: &str = "key_ring";

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
        book.sealed.insert(key.clone(), self.record.clone());
        book.written.sealed.insert(key, self.record.clone());
        Ok(())
    }
}

pub(crate) struct PruneSealed {
    pub reseller: ResellerId,
    pub keep: Option<String>,
    pub put_before: Timestamp,
}

impl Write for PruneSealed {
    type Answer = ();

    const NAME: &'static str = "prune_sealed";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, _: &mut Needs) {}

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        book.written.pruned.push((self.reseller.clone(), self.keep.clone(), self.put_before));
        Ok(())
    }
}

/// Other ciphertext in a record's place, if it is as it was.
pub(crate) struct ReplaceSealed {
    pub key: SealedKey,
    pub until_now: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

impl Write for ReplaceSealed {
    type Answer = bool;

    const NAME: &'static str = "replace_sealed";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.key.0)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.sealed.insert(self.key.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Some(record) =
            book.sealed.get_mut(&self.key).filter(|record| record.ciphertext == self.until_now)
        else {
            return Ok(false);
        };
        record.ciphertext.clone_from(&self.ciphertext);
        book.written.resealed.insert(self.key.clone(), self.ciphertext.clone());
        Ok(true)
    }
}

/// Another ring of keys, if it is as it was.
pub(crate) struct SwapKeyRing {
    pub until_now: Option<String>,
    pub ring: String,
}

impl Write for SwapKeyRing {
    type Answer = bool;

    const NAME: &'static str = "swap_key_ring";

    fn needs(&self, needs: &mut Needs) {
        needs.meta.insert(KEY_RING);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        if book.meta.get(&KEY_RING) != self.until_now.as_ref() {
            return Ok(false);
        }
        match book.meta.change(&KEY_RING) {
            Some(ring) => ring.clone_from(&self.ring),
            None => book.meta.insert(KEY_RING, self.ring.clone()),
        }
        Ok(true)
    }
}
