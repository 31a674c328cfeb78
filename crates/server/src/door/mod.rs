//! The way in from the network: who gets a connection, and what the transport's own refusals say.
//!
//! Rules
//! - With a certificate (`tls.rs`) all of it is within TLS. So many handshakes go on at a time, each for so long, and one that fails
//!   is its client's trouble alone.
//! - A connection that does not begin to speak in time is closed, and at shutdown at once. There are so many at most.
//! - After the shutdown token fires, calls in flight have [`GRACE`](serve::GRACE); then every connection is cut. No
//!   client can hold up the end of the process.
//! - An error of accepting is waited out; it neither ends the server nor spins.
//! - tonic's own statuses are answered as ours, with `ErrorInfo`. Health and reflection are left as they are.
//! - Each call has an id ([`CallId`](crate::status::CallId)), which its answer and its log lines carry.

mod accept;
mod connection;
mod layer;
mod serve;
mod tls;

pub(crate) use layer::DoorLayer;
pub(crate) use serve::{serve_grpc, serve_http};
pub(crate) use tls::Certificates;
pub use tls::TlsError;

#[cfg(test)]
mod tests;
