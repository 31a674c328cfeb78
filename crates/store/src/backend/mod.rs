//! The store's traits, served once for every database: a write is a verb on a book, a read is one of [`Reads`].

mod access;
mod audit;
mod census;
mod events;
mod outbox;
mod passed_over;
mod sealed;
mod sealing;
mod settings;

use jiff::Timestamp;
use tokio::sync::broadcast;

pub(crate) use self::audit::Acting;
pub(crate) use self::passed_over::PassedOver;
pub(crate) use self::sealing::Sealing;
use self::sealing::Seals;
use crate::book::Retention;
use crate::reads::Reads;
use crate::verbs::Write;
use crate::{Changed, StoreError};

/// One kind of database.
pub(crate) trait Backend: Send + Sync + 'static {
    type Reads: Reads;

    fn reads(&self) -> Self::Reads;
    fn write<W: Write>(&self, write: W) -> impl Future<Output = Result<W::Answer, StoreError>> + Send;
    fn now(&self) -> Timestamp;
    fn retention(&self) -> Retention;
    /// The operator's limit of a mailbox; 0: none.
    fn messages_per_minute(&self) -> u32;
    fn passed_over(&self) -> &PassedOver;
    fn changed(&self) -> &broadcast::Sender<Changed>;
    /// What seals content and subjects, if anything does.
    fn seals(&self) -> Option<&Seals> {
        None
    }
}
