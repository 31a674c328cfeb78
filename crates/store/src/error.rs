//! What can go wrong in the database, as its callers must tell it apart.

/// Every error is logged where it is answered, once; the cause is for the operator, never for a caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written. It may be tried again.
    #[error("the database is away: {cause}")]
    Unavailable { cause: String },
    /// COMMIT failed or was not answered: what was to be written may be there or not.
    #[error("the outcome of a commit is not known: {cause}")]
    CommitUnknown { cause: String },
    /// No room: nothing was written.
    #[error("the disk or the database is full: {cause}")]
    Full { cause: String },
    /// Too much waits already, to be written or read: nothing was written, and it may be tried again.
    #[error("too much waits to be written or read")]
    Overloaded,
    /// Another transaction was in the way, again and again: nothing was written, and it may be tried again.
    #[error("another transaction was in the way: {cause}")]
    Conflict { cause: String },
    /// Another transaction held the rows for too long: nothing was written, and it may be tried again.
    #[error("another transaction holds the rows: {cause}")]
    Busy { cause: String },
    /// What is stored cannot be read as what it must be.
    #[error("{table}.{column} of {row} cannot be read")]
    Inconsistent { table: &'static str, column: &'static str, row: String },
    /// Opening failed, in words for the operator with the mend.
    #[error("{0}")]
    Open(String),
}

impl StoreError {
    /// Another transaction caused it: what was to be written is not at fault.
    pub(crate) fn is_of_others(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Busy { .. })
    }
}
