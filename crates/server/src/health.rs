//! Whether the service serves, by gRPC's health protocol and for the HTTP pages: from the store, the credential store and
//! drain, never from one reseller's lane.

use postrider_domain::limits::PROBE_BYTES_MAX;
use postrider_proto::v1::{access_service_server, mail_service_server, settings_service_server};
use postrider_store::StoreHealth;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// The whole server, and each of its services.
const SERVICES: [&str; 4] = [
    "",
    mail_service_server::SERVICE_NAME,
    settings_service_server::SERVICE_NAME,
    access_service_server::SERVICE_NAME,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    StoreAway,
    VaultAway,
    ShuttingDown,
}

impl Readiness {
    fn of(store: StoreHealth, is_vault_there: bool) -> Self {
        match store {
            StoreHealth::Away => Self::StoreAway,
            StoreHealth::Serving if is_vault_there => Self::Ready,
            StoreHealth::Serving => Self::VaultAway,
        }
    }

    pub(crate) const ALL: [Self; 4] = [Self::Ready, Self::StoreAway, Self::VaultAway, Self::ShuttingDown];

    /// Its name in the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::StoreAway => "store_away",
            Self::VaultAway => "vault_away",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// One line for whoever asks why.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::StoreAway => "the database is away",
            Self::VaultAway => "Vault is away",
            Self::ShuttingDown => "shutting down",
        }
    }
}

/// What tells the health of this process to those who ask.
pub(crate) struct Health {
    reporter: HealthReporter,
    readiness: watch::Sender<Readiness>,
    store: watch::Receiver<StoreHealth>,
    /// Where Vault is needed.
    vault: Option<watch::Receiver<bool>>,
}

impl Health {
    /// With the state at the start already told.
    pub(crate) async fn new(
        store: watch::Receiver<StoreHealth>,
        vault: Option<watch::Receiver<bool>>,
    ) -> Self {
        let readiness = watch::Sender::new(Readiness::Ready);
        let mut health = Self { reporter: HealthReporter::new(), readiness, store, vault };
        health.look().await;
        health
    }

    pub(crate) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
            .max_decoding_message_size(PROBE_BYTES_MAX)
    }

    pub(crate) fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// Follows both stores until the token fires, and says then that no more is taken on.
    pub(crate) async fn follow(mut self, shutdown: CancellationToken) {
        loop {
            self.look().await;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = changed(Some(&mut self.store)) => {}
                () = changed(self.vault.as_mut()) => {}
            }
        }
        self.tell(Readiness::ShuttingDown).await;
    }

    async fn look(&mut self) {
        let store = *self.store.borrow_and_update();
        let is_vault_there = self.vault.as_mut().is_none_or(|vault| *vault.borrow_and_update());
        self.tell(Readiness::of(store, is_vault_there)).await;
    }

    async fn tell(&self, readiness: Readiness) {
        if self.readiness.send_replace(readiness) != readiness {
            tracing::info!(event = "readiness_changed", readiness = readiness.reason(), "readiness changed");
        }
        let status =
            if readiness == Readiness::Ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// Never, of what is not there or changes no more.
async fn changed<T>(watched: Option<&mut watch::Receiver<T>>) {
    let changed = match watched {
        Some(watched) => watched.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Request};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_server::Health as _;

    use super::*;

    async fn status_of(service: &HealthService, name: &str) -> Result<i32, Code> {
        let request = HealthCheckRequest { service: name.to_owned() };
        let answer = service.check(Request::new(request)).await.map_err(|status| status.code())?;
        Ok(answer.into_inner().status)
    }

    #[tokio::test]
    async fn every_service_follows_both_stores_and_stops_at_shutdown() {
        let (store, watched) = watch::channel(StoreHealth::Serving);
        let (vault, is_vault_there) = watch::channel(true);
        let shutdown = CancellationToken::new();
        let health = Health::new(watched, Some(is_vault_there)).await;
        let service = HealthService::from_health_reporter(health.reporter.clone());
        let mut readiness = health.readiness();
        let following = tokio::spawn(health.follow(shutdown.clone()));
        for name in SERVICES {
            assert_eq!(status_of(&service, name).await, Ok(ServingStatus::Serving as i32), "{name:?}");
        }
        assert_eq!(status_of(&service, "postrider.v1.NoService").await, Err(Code::NotFound));
        store.send(StoreHealth::Away).unwrap();
        readiness.wait_for(|now| *now == Readiness::StoreAway).await.unwrap();
        vault.send(false).unwrap();
        store.send(StoreHealth::Serving).unwrap();
        readiness.wait_for(|now| *now == Readiness::VaultAway).await.unwrap();
        vault.send(true).unwrap();
        readiness.wait_for(|now| *now == Readiness::Ready).await.unwrap();
        shutdown.cancel();
        following.await.unwrap();
        assert_eq!(*readiness.borrow(), Readiness::ShuttingDown);
        for name in SERVICES {
            assert_eq!(status_of(&service, name).await, Ok(ServingStatus::NotServing as i32), "{name:?}");
        }
    }

    #[test]
    fn every_service_of_ours_has_a_health_of_its_own() {
        use prost::Message;
        let described = prost_types::FileDescriptorSet::decode(postrider_proto::FILE_DESCRIPTOR_SET).unwrap();
        for file in described.file.iter().filter(|file| file.package() == "postrider.v1") {
            for service in &file.service {
                let name = format!("postrider.v1.{}", service.name());
                assert!(SERVICES.contains(&name.as_str()), "{name}");
            }
        }
    }
}
