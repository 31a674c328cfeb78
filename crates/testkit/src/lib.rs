//! Development only: starts the built binary and speaks to it in the words of the domain.
//!
//! | noun | what |
//! | --- | --- |
//! | [`World`] | a folder for one test, and what can be started in it |
//! | [`Service`] | a running `postrider serve`: its client, its command line, its death and its return |
//! | [`Client`] | the API with one access key |
//! | [`Authority`] | who issues the certificates of a test |
//! | [`Issuer`] | an identity provider, whose tokens callers show |
//! | [`Watching`] | a reader of `WatchMessages` |
//! | [`Microsoft`] | the stand-in's control: what it received, what it is to answer, what it knows |
//! | [`Vault`] | HashiCorp Vault itself |
//! | [`Postgres`], [`Pgbouncer`] | PostgreSQL itself, and a pooler before it |
//! | [`Line`] | what lies between a client and a server of any kind, to be cut |
//! | [`Proxy`] | what lies between a client and a server, in any [`Weather`] |
//! | [`Wire`] | what lies between them where they do not speak HTTP/1, and can be cut |
//! | [`fuzz`] | fuzz targets over their corpus and its mutations |
//! | [`Mail`] | a request to send, with defaults for all that a test is not about |
//! | [`Refusal`] | a gRPC status as the contract describes it, to be compared and printed |
//!
//! Rules
//! - Everything is waited for by a signal: what a program says, an answer, the end of a process. The one exception is [`seen`], which
//!   looks again at short intervals, for a bounded time, at what tells nobody when it changes.
//! - A process dies with the value that stands for it. A test that fails keeps its folder and prints where it is.
//! - A helper fails by panicking, with the output of the program that disappointed it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helper fails by panicking"
)]

mod authority;
pub mod canary;
mod client;
pub mod fuzz;
mod issuer;
mod line;
mod mail;
mod microsoft;
mod patience;
mod pgbouncer;
pub mod postgres;
mod program;
pub mod raw;
mod refusal;
mod service;
mod settings;
mod vault;
mod watch;
mod weather;
mod wire;
mod world;

pub use authority::{Authority, Issued};
pub use client::{Client, Way, authority};
pub use issuer::Issuer;
pub use line::{Cut, Line};
pub use mail::{Mail, address, mail};
pub use microsoft::{Breach, Delivered, Delivery, Microsoft};
pub use patience::{PATIENCE, from_now, in_time, seen};
pub use pgbouncer::Pgbouncer;
pub use postgres::Postgres;
pub use program::{Finished, Program, run};
pub use refusal::{Refusal, reason, violations};
pub use service::Service;
pub use settings::{Mistake, acme_settings, secret};
pub use vault::{MOUNT, PREFIX, Vault, vault_program};
pub use watch::Watching;
pub use weather::{Proxy, Weather};
pub use wire::Wire;
pub use world::{ServiceBuilder, World};
