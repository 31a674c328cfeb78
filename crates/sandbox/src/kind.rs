//! The scripted answers by their names: the switches that docs/sandbox.md lists.

use serde::Deserialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any status and code, of Graph's or Entra's.
    Answer,
    /// An `answer` to a mail whose status is 202: it was taken.
    Accepted,
    Throttle,
    Concurrency,
    Stale503,
    Html503,
    Timeout504Delivered,
    Timeout504,
    Hang,
    Reset,
    Ok200,
    Empty500,
    Plain413,
    TokenPlain429,
    TokenWithoutRoles,
    OpaqueToken,
    RbacOnly,
    RaopDenied,
    SecretExpiresAt,
    ClockSkew,
    MailboxFull,
    Slow,
    NdrLater,
    Terrl,
    RewriteFrom,
    DropUnknownHeaders,
    SlowDelivery,
}

/// Each with what it does, in a line for the page that lists them.
pub(crate) const KINDS: [(&str, Kind, &str); 26] = [
    ("answer", Kind::Answer, "any status, code and message; with call \"token\" any AADSTS number and error"),
    ("throttle-retry-after", Kind::Throttle, "429 TooManyRequests, with retry_after in any of its forms"),
    ("concurrency", Kind::Concurrency, "429 ApplicationThrottled: over the MailboxConcurrency limit"),
    ("503-stale", Kind::Stale503, "503 MailboxInfoStale"),
    ("503-html", Kind::Html503, "a gateway's 503 in HTML"),
    ("504-but-delivered", Kind::Timeout504Delivered, "takes the mail, then answers 504"),
    ("504-not-delivered", Kind::Timeout504, "answers 504 and takes nothing"),
    ("hang", Kind::Hang, "reads the body and never answers; takes the mail if delivered"),
    ("reset-after-body", Kind::Reset, "reads the body and drops the connection; takes it if delivered"),
    ("200-not-202", Kind::Ok200, "200 for a mail that was not taken"),
    ("500-empty", Kind::Empty500, "500 without a body"),
    ("413-plain", Kind::Plain413, "a gateway's 413 in plain text"),
    ("429-plain-text-token", Kind::TokenPlain429, "the token endpoint's 429 in plain text, Retry-After: 60"),
    ("token-without-roles", Kind::TokenWithoutRoles, "a token without any permission"),
    ("opaque-token", Kind::OpaqueToken, "a token that cannot be read"),
    ("rbac-only", Kind::RbacOnly, "Mail.Send is granted in Exchange and not shown in the token"),
    (
        "raop-denied",
        Kind::RaopDenied,
        "403 by an application access policy; start_time and end_time for its spread",
    ),
    ("secret-expires-at", Kind::SecretExpiresAt, "the app's secrets end at expire_time"),
    ("clock-skew", Kind::ClockSkew, "Entra's clock is ahead by seconds"),
    ("mailbox-full", Kind::MailboxFull, "403 ErrorQuotaExceeded"),
    ("slow", Kind::Slow, "holds the answer back for milliseconds"),
    (
        "ndr-later",
        Kind::NdrLater,
        "202, then a bounce: failed in the message trace, an NDR in the sender's Inbox",
    ),
    ("terrl", Kind::Terrl, "202, then refused by the tenant's limit for external recipients (5.7.233)"),
    ("rewrite-from-to-primary", Kind::RewriteFrom, "From becomes the mailbox's own address"),
    (
        "drop-unknown-x-headers-in-mime",
        Kind::DropUnknownHeaders,
        "drops x- headers of MIME that JSON has not made",
    ),
    ("slow-30-per-minute", Kind::SlowDelivery, "202, but no more than 30 a minute are delivered"),
];

impl Kind {
    pub(crate) fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind)
    }

    /// Answers before the mail is read: nothing is taken.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(
            self,
            Kind::Answer
                | Kind::Throttle
                | Kind::Concurrency
                | Kind::Stale503
                | Kind::Html503
                | Kind::Empty500
                | Kind::Plain413
                | Kind::RaopDenied
        )
    }

    /// Ends for a mail that passed every check.
    pub(crate) fn is_outcome(self) -> bool {
        matches!(
            self,
            Kind::Accepted
                | Kind::Timeout504Delivered
                | Kind::Timeout504
                | Kind::Hang
                | Kind::Reset
                | Kind::Ok200
        )
    }

    /// What can also happen to a call to Entra.
    pub(crate) fn is_token_outage(self) -> bool {
        matches!(
            self,
            Kind::Answer
                | Kind::TokenPlain429
                | Kind::Throttle
                | Kind::Html503
                | Kind::Hang
                | Kind::Reset
                | Kind::Empty500
        )
    }

    /// The kinds that are only about tokens, whatever `call` says.
    pub(crate) fn is_of_tokens(self) -> bool {
        matches!(
            self,
            Kind::TokenPlain429
                | Kind::TokenWithoutRoles
                | Kind::OpaqueToken
                | Kind::SecretExpiresAt
                | Kind::ClockSkew
        )
    }

    /// What happens to a mail after its 202.
    pub(crate) fn is_delivery(self) -> bool {
        matches!(self, Kind::NdrLater | Kind::Terrl | Kind::SlowDelivery)
    }
}

/// What a scenario can happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Token,
    /// sendMail, and the sending of a draft.
    SendMail,
    /// All that prepares a draft, but for uploads.
    Draft,
    /// A piece of an upload session.
    Upload,
}
