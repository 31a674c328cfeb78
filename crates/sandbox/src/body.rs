//! Reads a request's body up to a limit, and lets what is longer run out, so that its sender hears the answer.

use axum::body::{Body, Bytes};
use futures::StreamExt;

use crate::limits;

/// What became of a body.
pub(crate) enum Received {
    Whole(Bytes),
    TooLarge,
    /// The client went away in the middle.
    Broken,
}

pub(crate) async fn read(body: Body, bytes_max: usize) -> Received {
    let mut stream = body.into_data_stream();
    let mut kept: Vec<u8> = Vec::new();
    let mut total = 0_usize;
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else { return Received::Broken };
        total = total.saturating_add(chunk.len());
        if total <= bytes_max {
            kept.extend_from_slice(&chunk);
        } else if total > limits::DRAINED_BYTES_MAX {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if total <= bytes_max { Received::Whole(kept.into()) } else { Received::TooLarge }
}
