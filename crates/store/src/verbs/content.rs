//! Data keys: made, and wrapped by another key. They go with the settings.

use postrider_domain::ResellerId;

use super::Write;
use crate::StoreError;
use crate::book::{Book, Needs};
use crate::content::WrappedKey;

/// The reseller's data key; the fresh one, where there was none.
pub(crate) struct MakeDataKey {
    pub reseller: ResellerId,
    pub fresh: WrappedKey,
}

impl Write for MakeDataKey {
    type Answer = WrappedKey;

    const NAME: &'static str = "make_data_key";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller_made(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<WrappedKey, StoreError> {
        let there = book.resellers.get(&self.reseller).and_then(|row| row.data_key.clone());
        if let Some(there) = there {
            return Ok(there);
        }
        book.set_data_key(&self.reseller, Some(self.fresh.clone()));
        Ok(self.fresh.clone())
    }
}

/// The same data key, wrapped anew, if it is as it was.
pub(crate) struct ReplaceDataKey {
    pub reseller: ResellerId,
    pub until_now: WrappedKey,
    pub wrapped: WrappedKey,
}

impl Write for ReplaceDataKey {
    type Answer = bool;

    const NAME: &'static str = "replace_data_key";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let there = book.resellers.get(&self.reseller).and_then(|row| row.data_key.as_ref());
        let is_as_it_was = there == Some(&self.until_now);
        if is_as_it_was {
            book.set_data_key(&self.reseller, Some(self.wrapped.clone()));
        }
        Ok(is_as_it_was)
    }
}
