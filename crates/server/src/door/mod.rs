//! The way in from the network: who gets a connection, and what the transport's own refusals say.
//!
//! Rules
//! - A connection that does not begin to speak in time is closed, and at shutdown at once. There are so many at most.
//! - After the shutdown token fires, calls in flight have [`GRACE`](serve::GRACE); then every connection is cut. No
//!   client can hold up the end of the process.
//! - An error of accepting is waited out; it neither ends the server nor spins.
//! - tonic's own statuses are answered as ours, with `ErrorInfo`. Health and reflection are left as they are.
//! - Each call has an id ([`CallId`](crate::status::CallId)), which its answer and its log lines carry.

mod accept;
mod layer;
mod serve;

pub(crate) use accept::Peer;
pub(crate) use layer::DoorLayer;
pub(crate) use serve::{serve_grpc, serve_http};

#[cfg(test)]
mod tests;
