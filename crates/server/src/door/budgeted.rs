//! The body of a gRPC request, for which there must be room before it is received.
//!
//! tonic makes room for a whole message when it has read how long it will be, in the first five bytes. Here these are read first.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::budget::{NoRoom, RequestBudget, Room};
use crate::status::BodyEnd;

/// A flag, whether the message is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// What a request holds while it is worked on; filled once its first bytes are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldRoom {
    room: Arc<OnceLock<Room>>,
    /// In whose part of the budget it is.
    caller: Arc<OnceLock<String>>,
}

impl HeldRoom {
    /// To be told before the request is received.
    pub(crate) fn belongs_to(&self, caller: &str) {
        drop(self.caller.set(caller.to_owned()));
    }
}

type Taking = BoxFuture<'static, Result<Room, NoRoom>>;

pub(super) struct Budgeted {
    body: tonic::body::Body,
    budget: RequestBudget,
    bytes_max: usize,
    prefix: Vec<u8>,
    /// Waits for room, with what came in so far.
    taking: Option<(Taking, Frame<Bytes>)>,
    held: HeldRoom,
}

impl Budgeted {
    /// `bytes_max` is the largest that is decoded; more is refused by whoever decodes.
    pub(super) fn of(
        body: tonic::body::Body,
        budget: RequestBudget,
        bytes_max: usize,
        held: HeldRoom,
    ) -> Self {
        Self { body, budget, bytes_max, prefix: Vec::with_capacity(PREFIX_BYTES), taking: None, held }
    }

    /// Bytes that the message takes, once its prefix is there: for the first time.
    fn announced(&mut self, data: &Bytes) -> Option<usize> {
        let missing = PREFIX_BYTES - self.prefix.len();
        if missing == 0 {
            return None;
        }
        self.prefix.extend_from_slice(&data[..missing.min(data.remaining())]);
        let [compressed, length @ ..] = <[u8; PREFIX_BYTES]>::try_from(self.prefix.as_slice()).ok()?;
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        match (compressed, bytes > self.bytes_max) {
            // It is refused by what it announces.
            (_, true) => None,
            (0, false) => Some(bytes),
            // Nobody knows before it is done: as much as it may become.
            (_, false) => Some(self.bytes_max.min(bytes.saturating_mul(DEFLATE_RATIO_MAX))),
        }
    }
}

/// What one byte becomes at most (zlib's documentation says 1032).
const DEFLATE_RATIO_MAX: usize = 1_032;

impl Body for Budgeted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.taking.is_none() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            let Some(bytes) = frame.data_ref().cloned().and_then(|data| self.announced(&data)) else {
                return Poll::Ready(Some(Ok(frame)));
            };
            let (budget, caller) = (self.budget.clone(), Arc::clone(&self.held.caller));
            let taking = async move { budget.take(caller.get().map_or("", String::as_str), bytes).await };
            self.taking = Some((Box::pin(taking), frame));
        }
        let Some((taking, _)) = &mut self.taking else { return Poll::Ready(None) };
        let taken = ready!(taking.as_mut().poll(cx));
        let frame = self.taking.take().map(|(_, frame)| frame);
        Poll::Ready(frame.map(|frame| match taken {
            Ok(room) => {
                // Only the first message of a stream is counted.
                drop(self.held.room.set(room));
                Ok(frame)
            }
            Err(NoRoom) => Err(BodyEnd::NoRoom.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.taking.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
