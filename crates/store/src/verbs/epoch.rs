//! Epoch: a database that was restored begins a new one, for what happened after its backup is in no event of it.

use super::Write;
use crate::StoreError;
use crate::book::{Book, Needs};

const EPOCH: &str = "epoch";

pub(crate) struct BeginEpoch {
    pub epoch: String,
}

impl Write for BeginEpoch {
    type Answer = ();

    const NAME: &'static str = "begin_epoch";

    fn needs(&self, needs: &mut Needs) {
        needs.meta.insert(EPOCH);
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        match book.meta.change(&EPOCH) {
            Some(epoch) => epoch.clone_from(&self.epoch),
            None => book.meta.insert(EPOCH, self.epoch.clone()),
        }
        Ok(())
    }
}
