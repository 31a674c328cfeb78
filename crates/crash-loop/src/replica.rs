//! One process of the service, with a gate before Microsoft and wires that can be cut before the rest.

use std::path::Path;
use std::time::Instant;

use postrider_testkit::{Client, Microsoft, Service, ServiceBuilder, Wire};
use tokio::sync::watch;

use crate::callers::Counter;
use crate::gate::Gate;

/// The shortest there is, so that much happens in little time.
pub(crate) const LEASE_SECONDS: u64 = 2;
const CALL_TIMEOUT: &str = "2s";

/// Where a replica's database is.
pub(crate) enum Place<'d> {
    Sqlite,
    Postgres { database: &'d postrider_testkit::postgres::Database<'d>, server: String },
}

pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) gate: Gate,
    /// Between callers and it.
    pub(crate) callers: Wire,
    /// Between it and PostgreSQL.
    pub(crate) database: Option<Wire>,
    pub(crate) open: watch::Sender<usize>,
}

/// A kill, as far as what it hit.
#[derive(Debug, Clone)]
pub(crate) struct Killed {
    pub(crate) time: Instant,
    /// Calls of callers that were open, each a commit perhaps.
    pub(crate) commits: usize,
    /// Attempts under way, and their mailboxes.
    pub(crate) attempts: usize,
    pub(crate) mailboxes: Vec<String>,
}

impl Killed {
    /// Only these count.
    pub(crate) fn is_effective(&self) -> bool {
        self.commits > 0 || self.attempts > 0
    }
}

impl Replica {
    pub(crate) async fn starts(
        built: ServiceBuilder,
        microsoft: &Microsoft,
        name: &str,
        place: &Place<'_>,
    ) -> Self {
        let gate = Gate::before(microsoft.origin()).await;
        let data_dir = built.world().path().join(name);
        let mut built = built
            .sending_to(&microsoft.behind(gate.origin()))
            .in_data_dir(data_dir)
            .with("microsoft.call_timeout", CALL_TIMEOUT)
            .with("lease.duration", &format!("{LEASE_SECONDS}s"))
            .with("log.level", "warn");
        let mut database = None;
        if let Place::Postgres { database: own, server } = place {
            let wire = Wire::to(server).await;
            built = built.with("storage.url", &own.url_at(wire.address()));
            database = Some(wire);
        }
        let service = built.starts().await;
        let callers = Wire::to(service.grpc()).await;
        Self { service, gate, callers, database, open: watch::Sender::new(0) }
    }

    /// As callers reach it, over all its lives.
    pub(crate) fn counter(&self) -> Counter {
        let client = Client::to(self.callers.address(), self.service.admin().key());
        Counter { client, open: self.open.clone() }
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.service.data_dir()
    }

    /// SIGKILL, at once.
    pub(crate) async fn is_killed(&mut self) -> Killed {
        let killed = Killed {
            time: Instant::now(),
            commits: *self.open.borrow(),
            attempts: self.gate.calls(),
            mailboxes: self.gate.in_flight(),
        };
        self.service.is_killed().await;
        killed
    }

    pub(crate) async fn returns(&mut self) {
        self.service.returns().await;
        self.callers.leads_to(self.service.grpc());
    }

    /// `postrider check-store`, beside whoever runs.
    pub(crate) async fn is_sound(&self) {
        let built = self.service.built();
        let mut command = built.world().command();
        command.arg("check-store").arg("--data-dir").arg(built.data_dir()).args(built.overrides());
        let checked = postrider_testkit::run(command, "").await;
        assert_eq!(checked.code, 0, "the store is broken: {}{}", checked.stdout, checked.stderr);
    }
}
