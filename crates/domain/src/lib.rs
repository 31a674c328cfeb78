//! The nouns of Postrider: parsed once, then trusted; no I/O, no async, no transport.
//!
//! | word | type | meaning |
//! | --- | --- | --- |
//! | reseller | [`ResellerId`] | who sends; a slug the platform chooses |
//! | directory | [`DirectoryId`] | the reseller's Entra directory |
//! | settings | [`Settings`] | the four values of the panel and their options |
//! | credential | [`Credential`] | the secret part of the settings |
//! | access token | [`AccessToken`] | what Entra issues for a credential |
//! | email | [`Email`] | what a caller asks to be sent |
//! | message | [`Message`] | one accepted email with its state and history |
//! | lane | [`Lane`] | the queue of one sender mailbox |
//! | attempt, outcome | [`Attempt`], [`Outcome`] | one try to hand a message to Microsoft, and what it came to |
//! | audit event | [`AuditEvent`] | who changed what, from where, in a chain of hashes |
//! | finding | [`Finding`] | one diagnosed fact in the reseller's own terms, with its mend |
//!
//! Every type with rules has one `parse`, which is the only way in. Whatever takes several values reports all that is
//! wrong with them at once, as [`Violations`].

mod address;
mod audit;
mod clock;
mod credential;
mod email;
mod finding;
mod header;
mod lane;
pub mod limits;
mod media_type;
mod message;
mod outcome;
mod pasted;
mod planted;
mod reseller;
mod settings;
mod token;
mod trace;
mod violation;

pub use address::{Address, EmailAddress};
pub use audit::{Act, AuditEvent, BrokenChain, ChainHash};
pub use clock::{Clock, SystemClock, TestClock};
pub use credential::{
    Certificate, Credential, CredentialInfo, CredentialKind, CredentialVersion, Fingerprint, SourceName,
    expiry_finding,
};
pub use email::{AddressDraft, Attachment, AttachmentDraft, Email, EmailDraft, Importance, PayloadForm};
pub use finding::{Finding, FindingClass, FindingCode};
pub use header::{HeaderName, HeaderText};
pub use lane::{
    AttemptEnd, AttemptStart, Content, Hold, HourOfRecipients, Lane, LaneSignal, Lease, LeaseToken,
    OpenAttempt, Pause, Queued, RecentCall, Resolution,
};
pub use message::{
    Attempt, AttemptNumber, InDoubtPolicy, Labels, Message, MessageId, MessageState, Priority, RequestId,
};
pub use outcome::{Outcome, Verdict};
#[cfg(feature = "planted")]
pub use planted::plant;
pub use planted::{Bug, planted};
pub use reseller::ResellerId;
pub use settings::{
    ClientId, Cloud, DirectoryId, Etag, PaceLimits, PaceOverride, Settings, SettingsDraft, SettingsState,
    SettingsStatus, SettingsValues, Usage,
};
pub use token::{AccessToken, TokenKey, TokenRefusal};
pub use trace::TRACE;
pub use violation::{Violation, Violations};
