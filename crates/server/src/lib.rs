//! Transport and wiring: what is served, on which port.
//!
//! [`serve`] builds everything from the configuration, in `start.rs`, and runs it until it is told to stop: the gRPC
//! services behind the door and its access layer, the HTTP pages, and the dispatcher.
//!
//! Rules
//! - A handler is reached through `call.rs` only, with a caller who may make the call.
//! - What is on the wire is read and written in `convert/` only; `rpc/` hands it on. Errors become statuses in
//!   `status.rs` only.
//! - Credentials are put, read, rotated and destroyed in `credentials/` only.
//! - Shutdown: new calls are refused, calls in flight get a grace, attempts in flight are heard out as far as it goes;
//!   what is left is found on disk by the next start.

mod accept;
pub mod access;
mod app;
mod begun;
mod call;
pub mod config;
mod convert;
pub mod credentials;
mod data_dir;
mod door;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grpc_web;
mod health;
mod http;
mod ids;
mod json;
mod ladder;
mod left_drafts;
mod metrics;
mod offline;
mod open;
mod ports;
mod proofs;
mod purge;
mod queue;
mod reflection;
mod restored;
mod rpc;
mod start;
mod status;
mod telemetry;
mod traces;
mod wait;
mod watch;

pub use data_dir::{DataDir, DataDirError, Endpoints};
pub use door::TlsError;
pub use offline::{OfflineError, check_store, migrate, recover_access};
pub use postrider_store::{Checked, Migrated};
pub use start::{ServeError, Started, serve};
pub use telemetry::{Telemetry, init as init_telemetry};
