//! Every maximum of the sandbox: Microsoft's, which it imitates, and its own, which bound its memory.

use std::time::Duration;

// Microsoft's (docs/sandbox.md)

/// Requests at once for one app and mailbox; the fifth is answered 429 `ApplicationThrottled`.
pub(crate) const CONCURRENT_REQUESTS_PER_MAILBOX_MAX: usize = 4;
/// Messages a minute for one mailbox. Exchange delays what goes beyond, it does not refuse.
pub(crate) const MESSAGES_PER_MINUTE: usize = 30;
pub(crate) const RATE_WINDOW_SECONDS: i64 = 60;
/// Bytes of one Graph request ("4 MB"; the documents do not say which megabyte).
pub(crate) const GRAPH_REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one message, files before base64, where the mailbox does not say otherwise.
pub(crate) const MESSAGE_BYTES_MAX: usize = 35 * 1024 * 1024;
/// Bytes of a file for which there is an upload session ("3 MB" to "150 MB").
pub(crate) const UPLOAD_BYTES_MIN: usize = 3_000_000;
pub(crate) const UPLOAD_BYTES_MAX: usize = 150 * 1024 * 1024;
/// Bytes of one piece of it.
pub(crate) const UPLOAD_PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long an upload session waits for its next piece.
pub(crate) const UPLOAD_LIFE_SECONDS: i64 = 3_600;
/// Files of one message.
pub(crate) const FILES_MAX: usize = 250;
/// Message traces asked for by one directory within the window.
pub(crate) const TRACE_REQUESTS_MAX: usize = 100;
pub(crate) const TRACE_WINDOW_SECONDS: i64 = 300;
pub(crate) const TRACE_ROWS_MAX: usize = 5_000;
pub(crate) const TRACE_ROWS: usize = 1_000;
/// Messages of one answer of `GET …/messages`, where `$top` does not say otherwise.
pub(crate) const MESSAGES_LISTED: usize = 10;
pub(crate) const MESSAGES_LISTED_MAX: usize = 1_000;
/// Recipients over to, cc and bcc.
pub(crate) const RECIPIENTS_MAX: usize = 500;
/// Entries of `internetMessageHeaders`.
pub(crate) const CUSTOM_HEADERS_MAX: usize = 5;
/// Seconds an access token lives, where the app does not say otherwise.
pub(crate) const TOKEN_LIFETIME_SECONDS: i64 = 3599;
/// `Retry-After` of a throttled token endpoint.
pub(crate) const TOKEN_RETRY_AFTER_SECONDS: f64 = 60.0;
/// `Retry-After` where a throttle scenario does not say otherwise.
pub(crate) const RETRY_AFTER_SECONDS: f64 = 2.0;

// The sandbox's own

/// What a body beyond its limit may still send before the connection is closed: a client that is still writing
/// would otherwise see a reset instead of the 413.
pub(crate) const DRAINED_BYTES_MAX: usize = 64 * 1024 * 1024;
pub(crate) const TOKEN_REQUEST_BYTES_MAX: usize = 64 * 1024;
pub(crate) const CONTROL_REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Mails kept; the oldest go first.
pub(crate) const STORED_MAILS_MAX: usize = 100_000;
pub(crate) const STORED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Drafts kept, and bytes of their contents with all that is uploaded to them; the oldest go first.
pub(crate) const DRAFTS_MAX: usize = 1_000;
pub(crate) const DRAFT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Names of headers that mailboxes have learned.
pub(crate) const HEADER_NAMES_MAX: usize = 10_000;
/// TLS handshakes that are under way at once, and how long one may take.
pub(crate) const HANDSHAKES_MAX: usize = 256;
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
pub(crate) const SCENARIOS_MAX: usize = 1_000;
pub(crate) const DIRECTORIES_MAX: usize = 10_000;
/// Rows of the inbox page.
pub(crate) const INBOX_ROWS_MAX: usize = 200;
/// The longest wait a `slow` scenario may ask for.
pub(crate) const SLOW_MAX: Duration = Duration::from_mins(10);
/// Calls that hang are let go this long after the sandbox was told to stop.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// A request on another connection that arrives this soon after a 429 was already on its way when it was given.
pub(crate) const RETRY_AFTER_CROSSING: Duration = Duration::from_millis(10);

const _: () = assert!(GRAPH_REQUEST_BYTES_MAX < DRAINED_BYTES_MAX);
const _: () = assert!(GRAPH_REQUEST_BYTES_MAX < STORED_BYTES_MAX);
const _: () = assert!(UPLOAD_BYTES_MAX < DRAFT_BYTES_MAX);
const _: () = assert!(UPLOAD_PIECE_BYTES_MAX < DRAINED_BYTES_MAX);
