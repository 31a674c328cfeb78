//! What is done to the database, in the verbs of the flow: each a [`Write`] on a [`Book`].
//!
//! | file | verbs |
//! | --- | --- |
//! | `accept` | accept a mail, many at once, or a test mail |
//! | `lease` | take, renew, re-read and release a lane; expire what waits in it |
//! | `record` | the start of an attempt before its call, its end after it |
//! | `steer` | cancel and retry messages, pause and resume a lane |
//! | `settings` | put, delete, and learn that they work |
//! | `audit` | any of them as the act of a caller, told with it |
//! | `content` | data keys |
//! | `access`, `sealed`, `credential_change` | callers' keys, sealed credentials, changes of credentials |
//! | `purge` | what has been kept long enough |
//!
//! Does not know: SQL, or which database.

mod accept;
mod access;
mod audit;
mod content;
mod credential_change;
mod epoch;
mod lease;
mod purge;
mod record;
mod sealed;
mod settings;
mod steer;

pub(crate) use self::accept::{Accept, AcceptAll, AcceptTest, Admitted, Hindered};
pub(crate) use self::access::{CreateKey, RevokeKey, TouchKey};
pub(crate) use self::audit::{Audited, Note};
pub(crate) use self::content::{MakeDataKey, ReplaceDataKey};
pub(crate) use self::credential_change::{AdoptCredential, BeginChange, CloseChanges, EndChanges};
pub(crate) use self::epoch::BeginEpoch;
pub(crate) use self::lease::{Expire, Release, Renew, Reread, Take};
pub(crate) use self::purge::{Over, Purge};
pub(crate) use self::record::{Doubt, End, Refuse, Start};
pub(crate) use self::sealed::{BindKey, PruneSealed, PutSealed, ReplaceSealed, SwapKeyRing};
pub(crate) use self::settings::{CancelWaiting, DeleteSettings, IsSourceTaken, PutSettings, SettingsWork};
pub(crate) use self::steer::{Cancel, Pause, Resume, RetryMessage};

use postrider_domain::ResellerId;

use crate::StoreError;
use crate::book::{Book, Needs};

/// One thing to write. What the caller may not do is an answer, not an error.
pub(crate) trait Write: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// What the log and the simulation call it.
    const NAME: &'static str;
    /// Whether the database grows by it: refused where there is no room, and when too many wait.
    const GROWS: bool = false;

    /// Whose it is, if it is one reseller's.
    fn reseller(&self) -> Option<&ResellerId> {
        None
    }

    /// The rows that `run` looks at.
    fn needs(&self, needs: &mut Needs);
    /// May be run again, on a fresh book, after a rollback.
    fn run(&self, book: &mut Book) -> Result<Self::Answer, StoreError>;

    /// Whether it changed what the audit tells of.
    fn is_audited(&self, _: &Self::Answer) -> bool {
        false
    }
}
