//! Every maximum, with its unit, its reason and its source. Relations between them are asserted at compile time.

use std::time::Duration;

/// Characters of a reseller's slug: fits a DNS label, so that it can be one.
pub const RESELLER_ID_CHARS_MAX: usize = 63;
/// Characters of a `request_id`, all visible ASCII.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// Recipients of one message over to, cc and bcc. Microsoft's limit (Graph `message` resource).
pub const RECIPIENTS_MAX: usize = 500;
/// Addresses in reply-to. Ours: no mail program shows more.
pub const REPLY_TO_MAX: usize = 25;
/// Characters of an address's local part, of a domain, and of the whole (RFC 5321 §4.5.3.1).
pub const LOCAL_PART_CHARS_MAX: usize = 64;
pub const DOMAIN_CHARS_MAX: usize = 255;
pub const ADDRESS_CHARS_MAX: usize = 254;
/// Characters of a display name. Ours: Exchange keeps 256.
pub const DISPLAY_NAME_CHARS_MAX: usize = 256;
/// Characters of a subject. Exchange's limit.
pub const SUBJECT_CHARS_MAX: usize = 255;
/// Attachments of one message. Exchange's limit.
pub const ATTACHMENTS_MAX: usize = 250;
/// Characters of an attachment's name. Common to file systems.
pub const FILE_NAME_CHARS_MAX: usize = 255;
/// Characters of a content type and of a content id (RFC 6838 allows 127 for each half of a type).
pub const CONTENT_TYPE_CHARS_MAX: usize = 255;
pub const CONTENT_ID_CHARS_MAX: usize = 255;
/// Extra headers of one message, and those that Graph takes as JSON (`internetMessageHeaders`).
pub const HEADERS_MAX: usize = 50;
pub const HEADERS_JSON_MAX: usize = 5;
/// Bytes of a header's value: a folded line of RFC 5322 and some room.
pub const HEADER_VALUE_BYTES_MAX: usize = 4_000;

/// Labels of one message or of settings, and the characters of a key and a value.
pub const LABELS_MAX: usize = 32;
pub const LABEL_KEY_CHARS_MAX: usize = 63;
pub const LABEL_VALUE_CHARS_MAX: usize = 255;
/// Other addresses a mailbox may send as.
pub const SEND_AS_MAX: usize = 100;
/// Bytes of a client secret's Value. Entra's have 40 characters; this is room.
pub const SECRET_BYTES_MAX: usize = 1024;
/// Bytes of a certificate with its key and its chain, as PEM or PFX. Ours: a chain of four has less than a tenth.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
/// Certificates of a chain, the app's own with them. Ours: public authorities have two or three above it.
pub const CERTIFICATE_CHAIN_MAX: usize = 8;
/// Rounds of key derivation that opening a certificate may take, over all of its parts. Ours: a second; what makes
/// such files takes 2,000 to 600,000 for each of two parts.
pub const KEY_DERIVATION_ROUNDS_MAX: u32 = 2_000_000;
/// Characters of the name of a source of assertions. Ours: one label.
pub const SOURCE_NAME_CHARS_MAX: usize = 63;
/// Bytes of an assertion. Ours: those of Kubernetes, GitHub and Entra have 1 to 4 KB.
pub const ASSERTION_BYTES_MAX: usize = 16 * 1024;
/// Characters of an access key's name, and resellers that one key may name. Ours: a list that a person can read.
pub const KEY_NAME_CHARS_MAX: usize = 100;
pub const KEY_RESELLERS_MAX: usize = 1_000;
/// Keys remembered between reads of the database. Ours: some megabytes.
pub const KEYS_KNOWN_MAX: usize = 10_000;

/// Callers, resellers and addresses whose rates are remembered before those that rest are forgotten. Ours: some megabytes.
pub const RATES_KNOWN_MAX: usize = 10_000;

/// Bytes of a serialized `Email`: Exchange's default of 35 MB for a message.
pub const EMAIL_BYTES_MAX: usize = 36_700_160;
/// What an operator may make of it, in bytes: the largest mail Exchange Online can be made to take is 150 MB.
pub const MESSAGE_BYTES_MAX: usize = 150 * 1024 * 1024;
pub const MESSAGE_BYTES_MIN: usize = 1024;
/// Bytes of what stands beside the email in a request: ids, labels, times. Ours.
pub const REQUEST_REST_BYTES: usize = 64 * 1024;
/// Bytes of one request to Graph. Microsoft says 4 MB; the smaller reading is kept.
pub const GRAPH_REQUEST_BYTES_MAX: usize = 4_000_000;
/// Bytes of an email that make no larger request however they are written: JSON takes up to six bytes for one.
pub const SURELY_FITS_BYTES: usize = GRAPH_REQUEST_BYTES_MAX / 8;
/// Bytes read of any answer of Microsoft's: more is not evidence but noise.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Mails of one batch, and bytes of the whole. Ours: what one transaction takes without holding others up.
pub const BATCH_ITEMS_MAX: usize = 1_000;
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of the reason of a pause. Ours.
pub const REASON_CHARS_MAX: usize = 255;

/// TLS handshakes of one listener at a time. Ours: each costs a signature, and whoever comes while there are as many waits.
pub const HANDSHAKES_MAX: usize = 128;
/// Bytes of requests that a connection may send ahead of being asked for them. hyper's own default.
pub const WINDOW_BYTES: u32 = 1024 * 1024;
/// Calls at a time on one connection. Ours: what most HTTP/2 servers allow.
pub const STREAMS_MAX: u32 = 100;
/// Bytes of the headers of one call. Ours: a key and some tracing.
pub const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Bytes of a request that needs no key: a health check, or reflection where it is open. Ours: they name a service or a symbol. No
/// budget counts them, so that probes are answered while it is used up.
pub const PROBE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of field violations in one answer: in base64, with the other headers, they stay below the 8 KiB that every
/// gRPC client takes.
pub const VIOLATION_BYTES_MAX: usize = 4 * 1024;

/// Calls in flight at one mailbox. Microsoft's limit (Graph throttling, Outlook service).
pub const MAILBOX_CONCURRENCY_MAX: u32 = 4;
/// Messages a minute from one mailbox. Microsoft's limit (Exchange Online).
pub const MAILBOX_MESSAGES_PER_MINUTE: u32 = 30;
/// Recipients a day from one mailbox. Microsoft's limit (Exchange Online).
pub const MAILBOX_RECIPIENTS_PER_DAY: u32 = 10_000;

/// What a minute of a mailbox's pace lasts: Microsoft counts arrivals, we count starts, and the way takes its time.
pub const PACE_MINUTE: Duration = Duration::from_millis(60_500);

/// From so many recipients a day on, a reseller is warned of the limit of the whole directory: 10,000 with one licence,
/// for recipients outside (Exchange Online's limits, TERRL).
pub const DIRECTORY_RECIPIENTS_WARNED: u32 = 8_000;

/// So far ahead a message's place in its lane is counted, for the time when it is likely to go: 100 minutes at Microsoft's pace.
/// Ours: what is further behind goes later than it says.
pub const PLACES_COUNTED: u32 = 3_000;

/// A call begins so soon after its attempt was written down, or not at all: the pace is counted by what is written.
pub const CALL_BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// How long a message may wait for its first 202, where the caller does not say.
pub const EXPIRY_DEFAULT: Duration = Duration::from_hours(3 * 24);
/// The longest a caller may ask for, from acceptance. Ours.
pub const SCHEDULE_MAX: Duration = Duration::from_hours(365 * 24);
/// A `request_id` is kept this long after the message's end, and at least this long after acceptance.
pub const REQUEST_ID_KEPT: Duration = Duration::from_hours(24);

/// How long the content of mail that was not sent is kept, so that it can be retried by hand. Ours: a week's holiday.
pub const UNSENT_CONTENT_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long that of a cancelled mail is, so that a slip of the hand can be taken back.
pub const CANCELLED_CONTENT_KEPT: Duration = Duration::from_mins(1);
/// How long a message's history is kept after its end, where the operator does not say.
pub const HISTORY_KEPT: Duration = Duration::from_hours(30 * 24);
/// How long an event can be watched after it happened: a reader who was away for longer looks at the list instead.
pub const EVENTS_KEPT: Duration = Duration::from_hours(7 * 24);

/// How long one call to Graph may last before its outcome is in doubt. Graph's own gateway gives up earlier.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// What an operator may make of it. A shorter call leaves most answers unheard, each a doubt; a longer one blocks a
/// mailbox's turn.
pub const CALL_TIMEOUT_MIN: Duration = Duration::from_secs(1);
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// A message that must be uploaded is given as much more time as it would take at this rate: 2 Mbit/s.
const UPLOAD_BYTES_PER_SECOND: u64 = 256 * 1024;

/// How much longer than others a call with so much content may last.
pub fn upload_time(content_bytes: usize) -> Duration {
    let bytes = if content_bytes > SURELY_FITS_BYTES { content_bytes as u64 } else { 0 };
    Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND)
}

/// How long one call to Entra may last.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a `WAIT_FOR_SENT` without a deadline waits.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// A lane held by its settings is probed after this gap first; scoping changes take up to 2 h to show at Microsoft.
pub const PROBE_GAP_FIRST: Duration = Duration::from_mins(1);
/// How long a refusal of settings answers for Entra, so that a broken reseller cannot get all others throttled.
pub const TOKEN_REFUSAL_KEPT: Duration = Duration::from_mins(1);

/// From so long before its end on, a credential's expiry is told.
pub const CREDENTIAL_EXPIRES_SOON: Duration = Duration::from_hours(30 * 24);
/// Days before its end at which a credential's expiry is told anew.
pub const CREDENTIAL_NOTICE_DAYS: [u16; 5] = [30, 14, 7, 3, 1];

/// Entries of a page of any list: default and maximum.
pub const PAGE_SIZE_DEFAULT: u32 = 50;
pub const PAGE_SIZE_MAX: u32 = 1_000;

const _: () = assert!(LOCAL_PART_CHARS_MAX < ADDRESS_CHARS_MAX && ADDRESS_CHARS_MAX < DOMAIN_CHARS_MAX);
const _: () = assert!(HEADERS_JSON_MAX <= HEADERS_MAX);
const _: () = assert!(GRAPH_REQUEST_BYTES_MAX < EMAIL_BYTES_MAX);
// What can be retried by hand is still known by its history.
const _: () = assert!(UNSENT_CONTENT_KEPT.as_secs() <= HISTORY_KEPT.as_secs());
const _: () = assert!(EVENTS_KEPT.as_secs() <= HISTORY_KEPT.as_secs());
const _: () = assert!(PAGE_SIZE_DEFAULT <= PAGE_SIZE_MAX);
// A probe asks Entra, not the memory of the last answer.
const _: () = assert!(TOKEN_REFUSAL_KEPT.as_secs() <= PROBE_GAP_FIRST.as_secs());
const _: () = assert!(CREDENTIAL_NOTICE_DAYS[0] as u64 * 24 * 3_600 == CREDENTIAL_EXPIRES_SOON.as_secs());
const _: () = assert!(MESSAGE_BYTES_MIN < EMAIL_BYTES_MAX && EMAIL_BYTES_MAX <= MESSAGE_BYTES_MAX);
const _: () = assert!(CALL_TIMEOUT_MIN.as_secs() < CALL_TIMEOUT.as_secs());
const _: () = assert!(CALL_TIMEOUT.as_secs() < CALL_TIMEOUT_MAX.as_secs());
// In base64.
const _: () = assert!(VIOLATION_BYTES_MAX * 4 / 3 < 8 * 1024);
const _: () = assert!(TOKEN_TIMEOUT.as_secs() < CALL_TIMEOUT.as_secs());
