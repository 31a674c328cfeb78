//! A stand-in for Entra and Graph, with an inbox page.
//!
//! It answers on one address what `login.microsoftonline.com` and `graph.microsoft.com` answer to a client that
//! sends mail as an app: the same checks in the same order, the same bodies, the same headers. Accepted mail is
//! kept and shown at `/`; nothing leaves the machine. What a test needs to arrange or to ask is under `/sandbox/`.
//!
//! | path | module |
//! | --- | --- |
//! | `/{tenant}/v2.0/.well-known/openid-configuration`, `/{tenant}/oauth2/v2.0/token` | `entra.rs` |
//! | `/v1.0/users/{mailbox}/sendMail` | `graph.rs` |
//! | `/sandbox/…` | `control.rs` |
//! | `/`, `/messages/{number}` | `inbox.rs` |
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
mod attachment;
mod bearer;
mod body;
mod breach;
mod clock;
mod control;
mod credential;
mod directory;
mod entra;
mod graph;
mod html;
mod inbox;
mod json;
mod limits;
mod message;
mod mime;
mod page;
mod recipient;
mod scenario;
mod scripted;
pub mod seed;
mod shared;
mod spec;
mod token;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::breach::Breaches;
use crate::directory::Directories;
pub use crate::directory::{App, Directory, Mailbox, Secret};
use crate::message::Mails;
use crate::scenario::Scenarios;
use crate::shared::Shared;

/// Why the sandbox could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error("the sandbox cannot listen on {addr}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("the sandbox stopped serving")]
    Serve { source: io::Error },
    #[error("the directory cannot be put: {reason}")]
    Directory { reason: String },
}

/// A sandbox that listens, but does not answer before [`Sandbox::serve`].
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Takes the address. Connections wait in the backlog until [`Sandbox::serve`].
    pub async fn bind(addr: SocketAddr) -> Result<Sandbox, SandboxError> {
        let failed = |source| SandboxError::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let shared = Shared {
            directories: Directories::default(),
            mails: Mails::default(),
            scenarios: Scenarios::default(),
            breaches: Breaches::default(),
            shutdown: CancellationToken::new(),
            authority: local_addr.to_string(),
        };
        Ok(Sandbox { listener, local_addr, shared: Arc::new(shared) })
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
        let Sandbox { listener, shared, .. } = self;
        let hanging = shared.shutdown.clone();
        let stop = shutdown.clone();
        let listener = listener.tap_io(|io| {
            if let Err(error) = io.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let service = routes(shared).into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
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
        .merge(inbox::routes())
        .with_state(shared)
}
