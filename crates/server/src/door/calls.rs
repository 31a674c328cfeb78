//! The calls of one connection: whether there are any, whether somebody does not read an answer, and whether what is said makes calls
//! at all.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use postrider_domain::limits::{HEADER_BYTES_MAX, WINDOW_BYTES};
use tokio::time::Instant;

use super::paced::BYTES_PER_SECOND;

/// Shared by a connection and its calls.
#[derive(Clone)]
pub(super) struct Calls(Arc<Mutex<State>>);

struct State {
    /// Until when the client may leave unread what is offered to it; `None`: it waits for us.
    offered: HashMap<u64, Option<Instant>>,
    /// Since when the system takes no more for the client.
    stuck_since: Option<Instant>,
    begun: u64,
    /// When the last of them ended.
    quiet_since: Instant,
    /// Bytes since the last look that came in, and that may have.
    heard: usize,
    allowed: usize,
}

/// How long a client may leave an answer unread, beside what its bytes take at [`BYTES_PER_SECOND`].
pub(super) const UNREAD: Duration = Duration::from_secs(30);

/// Bytes between two looks that are neither a call's head nor its body: pings, settings, windows, and what is on its way.
const IDLE_BYTES: usize = 2 * WINDOW_BYTES as usize;
/// The head of a call, and what of its body came in although nobody asked for it.
const CALL_BYTES: usize = (HEADER_BYTES_MAX + WINDOW_BYTES) as usize;

impl Calls {
    pub(super) fn none() -> Self {
        Self(Arc::new(Mutex::new(State {
            offered: HashMap::new(),
            stuck_since: None,
            begun: 0,
            quiet_since: Instant::now(),
            heard: 0,
            allowed: IDLE_BYTES,
        })))
    }

    pub(super) fn begin(&self) -> Call {
        let mut state = self.lock();
        state.begun += 1;
        state.allowed += CALL_BYTES;
        let number = state.begun;
        state.offered.insert(number, None);
        Call { calls: self.clone(), number }
    }

    /// Bytes came in. Whether they are more than what calls explain.
    pub(super) fn hears_noise(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        state.heard += bytes;
        state.heard > state.allowed
    }

    /// Bytes of a body that were asked for.
    pub(super) fn took(&self, bytes: usize) {
        self.lock().allowed += bytes;
    }

    /// Begins to count anew.
    pub(super) fn look(&self) {
        let mut state = self.lock();
        (state.heard, state.allowed) = (0, IDLE_BYTES);
    }

    /// How long there has been no call; `None` while there is one.
    pub(super) fn quiet_for(&self) -> Option<Duration> {
        let state = self.lock();
        state.offered.is_empty().then(|| state.quiet_since.elapsed())
    }

    /// Whether the client leaves unread what it should have read by now.
    pub(super) fn are_unread(&self) -> bool {
        let (state, now) = (self.lock(), Instant::now());
        state.offered.values().flatten().any(|until| *until < now)
            || state.stuck_since.is_some_and(|since| now - since > UNREAD)
    }

    /// The system has taken bytes for the client, or takes none.
    pub(super) fn written(&self, is_stuck: bool) {
        let mut state = self.lock();
        state.stuck_since = is_stuck.then(|| state.stuck_since.unwrap_or_else(Instant::now));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call, which ends when this is dropped.
pub(super) struct Call {
    calls: Calls,
    number: u64,
}

impl Call {
    /// So many bytes; `None`: nothing yet.
    fn offers(&self, bytes: Option<usize>) {
        let time = |bytes| UNREAD + Duration::from_secs(bytes as u64 / BYTES_PER_SECOND);
        let until = bytes.map(|bytes| Instant::now() + time(bytes));
        self.calls.lock().offered.insert(self.number, until);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.calls.lock();
        state.offered.remove(&self.number);
        state.quiet_since = Instant::now();
    }
}

/// The body of an answer. It is asked for its next part when the client has room for one.
pub(super) struct Answer {
    body: axum::body::Body,
    call: Call,
}

impl Answer {
    pub(super) fn of(call: Call, body: axum::body::Body) -> Self {
        call.offers(Some(0));
        Self { body, call }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.call.offers(None);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.call.offers(Some(0));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
