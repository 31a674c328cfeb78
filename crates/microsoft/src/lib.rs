//! The only crate that knows Entra and Graph: it asks for access tokens and hands messages over.
//!
//! | step | function | file | gives |
//! | --- | --- | --- | --- |
//! | token | [`Microsoft::token`], [`read_certificate`] | `entra.rs`, `assertion.rs`, `certificate/`, `aadsts.rs` | an [`AccessToken`](postrider_domain::AccessToken), or why there is none |
//! | submit | [`Microsoft::send_mail`] | `graph.rs`, `draft.rs`, `left_draft.rs`, `upload.rs`, `payload/` | what Graph answered |
//! | classify | inside `send_mail` | `answer.rs`, `classify.rs` | a [`Verdict`](postrider_domain::Verdict) |
//! | test | [`Microsoft::discover`], [`roles`] | `entra.rs`, `roles.rs` | what can be known before a mail is sent |
//!
//! Rules
//! - No redirect is followed, no request is sent again by itself. Only a mail too large for one request, and an
//!   assertion that Entra finds untimely, take more than one; each of them is written out here.
//! - Only 202 is sent. "Not started", "refused" and "in doubt" are told apart by what may have been written.
//! - Microsoft's machine codes decide, its human text does not (one exception, named in `classify.rs`).
//! - What an access token says about itself is advice: it may choose between two findings of one class, never an outcome.
//! - No secret, no token and no upload URL is in any error, finding, log line or `Debug`.

mod aadsts;
mod answer;
mod assertion;
mod certificate;
mod classify;
mod cloud;
mod draft;
mod entra;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod graph;
mod http;
mod identity;
mod left_draft;
mod observer;
mod payload;
mod retry_after;
mod roles;
mod upload;

use std::sync::Arc;

use postrider_domain::Clock;

pub use certificate::{CertificateFile, NotACertificate, read_certificate};
pub use cloud::{Hosts, NotAnOrigin};
pub use entra::{Discovered, Proof};
pub use graph::{Handed, SendMail};
pub use http::{SetupError, client as http_client};
pub use identity::IdentityEndpoint;
pub use left_draft::{Deletion, LeftDraft};
pub use observer::{Call, Observer};
pub use payload::{Fit, Payload, internet_message_id};
pub use roles::{TokenRoles, roles};

/// Entra and Graph, in all clouds. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub struct Microsoft {
    http: reqwest::Client,
    hosts: Arc<Hosts>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Microsoft {
    /// `extra_ca_pem` is trusted beside the system's authorities: for a stand-in, or a gateway that opens TLS.
    pub fn new(hosts: Hosts, extra_ca_pem: Option<&[u8]>, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let http = http::client(extra_ca_pem)?;
        Ok(Self { http, hosts: Arc::new(hosts), clock, observer: Arc::new(observer::Nobody) })
    }

    /// Tells this one of each request, in place of nobody.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }
}
