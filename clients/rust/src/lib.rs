//! The Rust client of Postrider, which sends each reseller's email from the reseller's own Microsoft 365 mailbox.
//!
//! [`Client`] has every RPC of the API as a method, with the types of [`v1`]. Around the generated code a call
//!
//! - shows the access key, over TLS for an https URL;
//! - has a deadline ([`Client::with_timeout`]);
//! - carries a `request_id` where the caller gave none, so that a mail is never accepted twice by a repeated call;
//! - is repeated when the service says when to come again, and never past its deadline;
//! - fails with [`Error`], which has the service's reason and all violated fields.
//!
//! ```no_run
//! use postrider_client::{Client, v1};
//!
//! # async fn send() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?; // POSTRIDER_URL, POSTRIDER_KEY
//! let email = v1::Email {
//!     to: vec![v1::Address { address: "ada@example.net".into(), ..Default::default() }],
//!     subject: "Your invoice".into(),
//!     text: "It is attached.".into(),
//!     ..Default::default()
//! };
//! let request = v1::SendMailRequest { reseller: "acme".into(), email: Some(email), ..Default::default() };
//! let accepted = client.send_mail(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Knows no sibling crate but `postrider-proto`. Read first: `client.rs`.

mod client;
mod connection;
mod error;
mod retry;
mod watch;

pub use client::Client;
pub use connection::{ConnectError, DEFAULT_URL};
pub use error::{Error, Failure, Violation};
pub use postrider_proto::v1;
