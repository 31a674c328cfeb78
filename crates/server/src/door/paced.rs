//! The body of a request, which must come in at some speed: who sends it byte by byte holds a call for nothing.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tower::BoxError;

use super::calls::Calls;
use crate::status::BodyEnd;

/// How long a body may take, beside what its bytes take at [`BYTES_PER_SECOND`].
const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const BYTES_PER_SECOND: u64 = 32 * 1024;

pub(super) struct Paced {
    body: Incoming,
    /// Those of its connection; `None`: it may take as long as it likes.
    calls: Option<Calls>,
    bytes: u64,
    /// When it was first asked for.
    began: Option<Instant>,
    deadline: Pin<Box<Sleep>>,
}

impl Paced {
    pub(super) fn of(body: Incoming, calls: Option<Calls>) -> Self {
        Self { body, calls, bytes: 0, began: None, deadline: Box::pin(tokio::time::sleep(PATIENCE)) }
    }

    fn allow(&mut self) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let time = PATIENCE + Duration::from_secs(self.bytes / BYTES_PER_SECOND);
        self.deadline.as_mut().reset(began + time);
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.began.is_none() {
            self.allow();
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.bytes += bytes as u64;
                if let Some(calls) = &self.calls {
                    calls.took(bytes);
                }
                self.allow();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|ended| ended.map_err(Into::into))),
            Poll::Pending if self.calls.is_some() && self.deadline.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(Status::from(BodyEnd::TooSlow).into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
