//! Why a connection is cut: for what its client did, or did not. The log's events have the same names.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    AddressHasTooMany,
    HandshakeFailed,
    ClientSilent,
    ClientTooLoud,
    AnswerNotRead,
}

impl Cut {
    pub(crate) const ALL: [Self; 5] = [
        Self::AddressHasTooMany,
        Self::HandshakeFailed,
        Self::ClientSilent,
        Self::ClientTooLoud,
        Self::AnswerNotRead,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AddressHasTooMany => "address_has_too_many",
            Self::HandshakeFailed => "handshake_failed",
            Self::ClientSilent => "client_silent",
            Self::ClientTooLoud => "client_too_loud",
            Self::AnswerNotRead => "answer_not_read",
        }
    }
}
