//! A stand-in for Entra and Graph, with an inbox page.
//!
//! It answers on one address what `login.microsoftonline.com` and `graph.microsoft.com` answer to a client that
//! sends mail as an app: the same checks in the same order, the same bodies, the same headers. Accepted mail is
//! kept and shown at `/`; nothing leaves the machine. What a test needs to arrange or to ask is under `/sandbox/`.
//!
//! | path | module |
//! | --- | --- |
//! | `/{tenant}/v2.0/.well-known/openid-configuration`, `/{tenant}/oauth2/v2.0/token` | `entra.rs` |
//! | `/metadata/identity/oauth2/token`, `/msi/token` | `identity.rs` |
//! | `/v1.0/…`, `/upload/{token}` | `graph/` |
//! | `/sandbox/…` | `control.rs` |
//! | `/`, `/messages/{number}`, `/directories`, `/scenarios`, `/limits` | `inbox.rs`, `overview.rs` |
//!
//! Rules
//! - A mail is stored exactly when Microsoft would have taken it, scripted answers included: each entry is a mail
//!   that somebody would have received.
//! - Limits are observed, not only enforced: what Microsoft punishes later is counted as a breach.
//! - No input can end the process; every store in memory has a bound (`limits.rs`).
//!
//! It knows nothing of Postrider's other crates, so that it cannot share their mistakes.

mod aadsts;
mod answer;
mod assertion;
mod attachment;
mod bearer;
mod body;
mod breach;
mod clock;
mod control;
mod credential;
mod delivery;
mod directory;
mod draft;
mod entra;
mod file;
mod graph;
mod html;
mod identity;
mod inbox;
mod json;
mod keys;
mod kind;
mod limits;
mod listener;
mod message;
mod mime;
mod overview;
mod page;
mod raw;
mod recipient;
mod retry_after;
mod rewrite;
mod scenario;
mod scripted;
pub mod seed;
mod shared;
mod spec;
mod tls;
mod token;
mod traced;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::breach::Breaches;
use crate::delivery::Pace;
use crate::directory::Directories;
pub use crate::directory::{App, Directory, FederatedCredential, Mailbox, ManagedIdentity, Secret};
use crate::draft::Drafts;
use crate::listener::{Doors, Peer};
use crate::message::Mails;
use crate::rewrite::Headers;
use crate::scenario::Scenarios;
use crate::shared::Shared;
use crate::tls::Tls;
pub use crate::tls::TlsError;
use crate::traced::Traced;

/// How it is served.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Over TLS, with a certificate of its own.
    pub tls: bool,
    /// Host names that its certificate is for, beside `localhost`, `127.0.0.1` and `::1`.
    pub tls_names: Vec<String>,
    /// Refuses what is otherwise only counted.
    pub strict: bool,
}

/// Why the sandbox could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error("the sandbox cannot listen on {addr}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("the sandbox stopped serving")]
    Serve { source: io::Error },
    #[error("the sandbox has no certificate")]
    Tls { source: TlsError },
    #[error("the directory cannot be put: {reason}")]
    Directory { reason: String },
}

/// A sandbox that listens, but does not answer before [`Sandbox::serve`].
pub struct Sandbox {
    listener: TcpListener,
    local_addr: SocketAddr,
    tls: Option<Tls>,
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Takes the address. Connections wait in the backlog until [`Sandbox::serve`].
    pub async fn bind(addr: SocketAddr, options: Options) -> Result<Sandbox, SandboxError> {
        let failed = |source| SandboxError::Bind { addr, source };
        let tls = options.tls.then(|| Tls::new(&options.tls_names, clock::now())).transpose();
        let tls = tls.map_err(|source| SandboxError::Tls { source })?;
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let shared = Shared {
            directories: Directories::default(),
            mails: Mails::default(),
            drafts: Drafts::default(),
            scenarios: Scenarios::default(),
            breaches: Breaches::default(),
            headers: Headers::default(),
            pace: Pace::default(),
            traced: Traced::default(),
            shutdown: CancellationToken::new(),
            authority: local_addr.to_string(),
            scheme: if options.tls { "https" } else { "http" },
            strict: options.strict.into(),
        };
        Ok(Sandbox { listener, local_addr, tls, shared: Arc::new(shared) })
    }

    /// The certificate authority that clients must trust, where it serves over TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// Where it listens; with port 0, the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Puts a directory under its GUID or a domain, in place of what was there.
    pub fn put_directory(&self, tenant_id: &str, directory: Directory) -> Result<(), SandboxError> {
        self.shared.directories.put(tenant_id, directory).map_err(|reason| SandboxError::Directory { reason })
    }

    /// Answers until `shutdown`. Calls in flight end first, but nothing holds it longer than a second.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), SandboxError> {
        let Sandbox { listener, shared, tls, .. } = self;
        let hanging = shared.shutdown.clone();
        let stop = shutdown.clone();
        let doors = Doors::new(listener, tls.map(|tls| tls.acceptor));
        let service = routes(shared).into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(doors, service).with_graceful_shutdown(async move {
            stop.cancelled().await;
            hanging.cancel();
        });
        let overdue = async move {
            shutdown.cancelled().await;
            tokio::time::sleep(limits::SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            result = async { serving.await } => result.map_err(|source| SandboxError::Serve { source }),
            () = overdue => Ok(()),
        }
    }
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(entra::routes())
        .merge(graph::routes())
        .merge(control::routes())
        .merge(identity::routes())
        .merge(inbox::routes())
        .merge(overview::routes())
        .with_state(shared)
}

/// Each scenario by its name, with what it does.
pub fn scenarios() -> impl Iterator<Item = (&'static str, &'static str)> {
    kind::KINDS.iter().map(|(name, _, does)| (*name, *does))
}
