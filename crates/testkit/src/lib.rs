//! Development only: starts the built binary and speaks to it in the words of the domain.
//!
//! | noun | what |
//! | --- | --- |
//! | [`World`] | a folder for one test, and what can be started in it |
//! | [`Service`] | a running `postrider serve`: its client, its command line, its death and its return |
//! | [`Client`] | the API with one access key |
//! | [`Microsoft`] | the stand-in's control: what it received, what it is to answer, what it knows |
//! | [`Vault`] | HashiCorp Vault itself |
//! | [`Proxy`] | what lies between a client and a server, in any [`Weather`] |
//! | [`Mail`] | a request to send, with defaults for all that a test is not about |
//! | [`Refusal`] | a gRPC status as the contract describes it, to be compared and printed |
//!
//! Rules
//! - Everything is waited for by a signal: a line on standard output, an answer, the end of a process. The exceptions
//!   look again at short intervals, for a bounded time: [`Client::reaches`], and where Vault or a log has to be looked at.
//! - A process dies with the value that stands for it. A test that fails keeps its folder and prints where it is.
//! - A helper fails by panicking, with the output of the program that disappointed it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helper fails by panicking"
)]

pub mod canary;
mod client;
mod mail;
mod microsoft;
mod patience;
pub mod postgres;
mod program;
pub mod raw;
mod refusal;
mod service;
mod settings;
mod vault;
mod weather;
mod world;

pub use client::{Client, authority};
pub use mail::{Mail, address, mail};
pub use microsoft::{Breach, Delivered, Delivery, Microsoft};
pub use patience::{PATIENCE, from_now, in_time};
pub use postgres::Postgres;
pub use program::{Finished, Program, run};
pub use refusal::{Refusal, reason, violations};
pub use service::Service;
pub use settings::{Mistake, acme_settings, secret};
pub use vault::{MOUNT, PREFIX, Vault, vault_program};
pub use weather::{Proxy, Weather};
pub use world::{ServiceBuilder, World};
