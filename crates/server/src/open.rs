//! The database of the configuration, opened.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Clock, SystemClock};
use postrider_store::{DynStore, Options, PostgresStore, Retention, SqliteStore, StoreError, StoreKind};
use secrecy::ExposeSecret as _;

use crate::config::{Config, Database};

/// How often a process that has its database alone looks by itself: it hears of every change.
const LOOK_ALONE: Duration = Duration::from_mins(1);
/// The same of one that shares it.
const LOOK_SHARED: Duration = Duration::from_secs(1);

/// An open database, the clock that all who share it go by, and how often to look what the others did.
pub(crate) struct Opened {
    pub store: DynStore,
    pub clock: Arc<dyn Clock>,
    pub look_every: Duration,
}

impl Opened {
    pub(crate) async fn open(config: &Config, database: &Database) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let options = Options {
            kind: if config.sandbox { StoreKind::Sandbox } else { StoreKind::Real },
            retention: Retention { content: config.retention.content, history: config.retention.history },
            free_bytes_min: config.storage.free_bytes_min,
            messages_per_minute: config.pace.limits().messages_per_minute,
        };
        Ok(match database {
            Database::Sqlite(file) => {
                let store = SqliteStore::open(file, Arc::clone(&clock), options).await?;
                Self { store: Arc::new(store), clock, look_every: LOOK_ALONE }
            }
            Database::Postgres(url) => {
                let store = PostgresStore::open(url.expose_secret(), clock, None, options).await?;
                let clock = store.clock();
                Self { store: Arc::new(store), clock, look_every: LOOK_SHARED }
            }
        })
    }
}
