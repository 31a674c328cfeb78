//! Every way in which a call can be refused, and which of them an error of the stores is.

use std::time::Duration;

use postrider_credential_store::CredentialStoreError;
use postrider_domain::{MessageId, MessageState, ResellerId, Violations};
use postrider_store::{Refused, StoreError};

use super::with_sources;

/// Why a call is refused. `cause` is for the log alone.
#[derive(Debug)]
pub enum Refusal {
    Unauthenticated,
    AccessDenied,
    Invalid(Violations),
    MessageNotFound,
    SettingsMissing(ResellerId),
    RequestIdReused,
    EtagMismatch,
    /// Another reseller's: whose is not told.
    SourceTaken,
    /// The reseller's part of the queue is taken.
    QueueFull(ResellerId),
    /// The whole queue is.
    WholeQueueFull,
    /// Too much waits to be written.
    Overloaded,
    /// Of a caller, a reseller or an address.
    RateLimited {
        subject: String,
        after: Duration,
    },
    /// What is in the state cannot be `cancelled` or `retried`.
    MessageState {
        what: &'static str,
        state: MessageState,
        in_doubt: bool,
    },
    /// Nothing of the message is left to be retried.
    ContentGone {
        state: MessageState,
    },
    CursorExpired,
    /// Of a stream that is not read.
    ReaderTooSlow,
    MessagesUnfinished,
    /// So many calls are in flight, and cannot be cancelled.
    MessagesInFlight(u32),
    KeyNotFound,
    /// With the id, where a message was to be accepted.
    CommitUnknown {
        message_id: Option<MessageId>,
        cause: String,
    },
    StoreUnavailable {
        cause: String,
    },
    /// `why` may be told to whoever looks after the settings.
    CredentialStoreUnavailable {
        why: String,
        cause: String,
    },
    StorageFull {
        cause: String,
    },
    /// The keys of callers' tokens are not to be had; the log says why.
    IssuerUnavailable,
    RequestTooLarge {
        /// What has the limit.
        what: &'static str,
        limit_bytes: usize,
    },
    /// Within our limit, but not within one request to Microsoft.
    MailTooLarge {
        request_bytes: usize,
    },
    /// What the transport said of bytes that are no request.
    Undecodable {
        cause: String,
    },
    /// A body that is not protobuf's JSON `of` a message; `place` is where.
    NotTheJson {
        of: String,
        place: String,
    },
    Unimplemented,
    ShuttingDown,
    DeadlineExceeded,
    Internal {
        cause: String,
    },
}

impl Refusal {
    /// `cause` is for the log: no secret, no content.
    #[expect(clippy::needless_pass_by_value, reason = "so that it can stand in a map_err")]
    pub fn internal(cause: impl ToString) -> Self {
        Self::Internal { cause: cause.to_string() }
    }

    /// The refusal of a message that was to be accepted under this id.
    pub fn of_accept(error: StoreError, message_id: MessageId) -> Self {
        match Self::from(error) {
            Self::CommitUnknown { cause, .. } => Self::CommitUnknown { message_id: Some(message_id), cause },
            other => other,
        }
    }

    /// The refusal of a mail that the store did not take.
    pub fn of_refused(refused: Refused, reseller: ResellerId) -> Self {
        match refused {
            Refused::RequestIdReused => Self::RequestIdReused,
            Refused::SettingsMissing => Self::SettingsMissing(reseller),
            Refused::QueueFull => Self::QueueFull(reseller),
            // Asked for again where tests are sent, and told as a finding.
            Refused::MailboxBusy => Self::internal("the mailbox is busy"),
        }
    }

    /// The same of an item of a batch: paths of fields begin at the batch.
    #[must_use]
    pub fn within(self, index: usize) -> Self {
        match self {
            Self::Invalid(violations) => Self::Invalid(violations.within(&format!("requests[{index}]"))),
            other => other,
        }
    }

    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::CommitUnknown { cause, .. }
            | Self::StoreUnavailable { cause }
            | Self::CredentialStoreUnavailable { cause, .. }
            | Self::StorageFull { cause }
            | Self::Undecodable { cause }
            | Self::Internal { cause } => Some(cause),
            _ => None,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { cause } | StoreError::Open(cause) => Self::StoreUnavailable { cause },
            StoreError::CommitUnknown { cause } => Self::CommitUnknown { message_id: None, cause },
            StoreError::Full { cause } => Self::StorageFull { cause },
            StoreError::Overloaded => Self::Overloaded,
            of_others @ (StoreError::Conflict { .. } | StoreError::Busy { .. }) => {
                Self::StoreUnavailable { cause: of_others.to_string() }
            }
            inconsistent @ StoreError::Inconsistent { .. } => Self::internal(inconsistent),
        }
    }
}

impl From<CredentialStoreError> for Refusal {
    fn from(error: CredentialStoreError) -> Self {
        match error {
            CredentialStoreError::Conflict { .. } => Self::EtagMismatch,
            _ => Self::CredentialStoreUnavailable { why: error.to_string(), cause: with_sources(&error) },
        }
    }
}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}
