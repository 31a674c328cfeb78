//! The way in from the network: who gets a connection, and what the transport's own refusals say.
//!
//! Rules
//! - With a certificate (`tls.rs`) all of it is within TLS. So many handshakes go on at a time, each for so long, and one that fails
//!   is its client's trouble alone.
//! - There are so many connections at most, in all and from one address (`places.rs`). One whose client does not begin to speak, says nothing
//!   but pings and the like, or leaves answers unread is closed; one that is old or quiet is told to go, and its calls end first.
//! - A body that comes in too slowly is given up (`paced.rs`), and there is room for all of it before it is received (`budget.rs`).
//! - After the shutdown token fires, calls in flight have [`GRACE`](serve::GRACE); then every connection is cut. No
//!   client can hold up the end of the process.
//! - An error of accepting is waited out; it neither ends the server nor spins.
//! - tonic's own statuses are answered as ours, with `ErrorInfo`. Health and reflection are left as they are.
//! - Each call has an id ([`CallId`](crate::status::CallId)), which its answer and its log lines carry.

mod accept;
mod budget;
mod budgeted;
mod calls;
mod client_names;
mod connection;
mod cut;
mod layer;
mod paced;
mod places;
mod serve;
mod tls;

pub(crate) use budget::{NoRoom, RequestBudget};
pub(crate) use budgeted::HeldRoom;
pub(crate) use cut::Cut;
pub(crate) use layer::DoorLayer;
pub(crate) use places::network;
pub(crate) use serve::{Listening, serve_grpc, serve_http};
pub(crate) use tls::Certificates;
pub use tls::TlsError;

#[cfg(test)]
mod tests;
