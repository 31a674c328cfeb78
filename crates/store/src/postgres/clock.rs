//! The database's clock, which all replicas share: this machine's, moved by what the database's is ahead of it.
//!
//! A transaction asks the database itself; this serves everything between. Each look takes the quickest of a few answers,
//! so that it is off by half a round trip at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::Clock;
use sqlx::Row as _;
use sqlx::postgres::PgPool;

use super::failed;
use crate::StoreError;

const LOOK_EVERY: Duration = Duration::from_secs(30);
const ANSWERS: usize = 5;

#[derive(Debug)]
pub(super) struct DatabaseClock {
    base: Arc<dyn Clock>,
    /// Microseconds that the database is ahead.
    ahead: AtomicI64,
}

impl DatabaseClock {
    pub(super) async fn synced(base: Arc<dyn Clock>, reader: &PgPool) -> Result<Arc<Self>, StoreError> {
        let clock = Self { base, ahead: AtomicI64::new(0) };
        clock.look(reader).await.map_err(|error| failed(&error))?;
        let ahead = clock.ahead.load(Ordering::Relaxed);
        if ahead.abs() > SignedDuration::from_secs(1).as_micros().try_into().unwrap_or(i64::MAX) {
            tracing::warn!(
                event = "clock_differs",
                ahead_microseconds = ahead,
                "the database's clock is another than this machine's: its time is taken"
            );
        }
        Ok(Arc::new(clock))
    }

    /// Until aborted. While the database is away the last look holds.
    pub(super) async fn follow(self: Arc<Self>, reader: PgPool) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.look(&reader).await {
                tracing::debug!(event = "clock_not_read", %error, "the database's clock was not read");
            }
        }
    }

    async fn look(&self, reader: &PgPool) -> Result<(), sqlx::Error> {
        let mut best: Option<(Duration, i64)> = None;
        let mut db = reader.acquire().await?;
        for _ in 0..ANSWERS {
            let (asked, began) = (self.base.uptime(), self.base.now());
            // Behind a pooler only what is said in one go surely goes to one connection.
            let row = sqlx::raw_sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
                .fetch_one(&mut *db)
                .await?;
            let theirs: i64 = row.try_get(0)?;
            let took = self.base.uptime().saturating_sub(asked);
            let ours = began.saturating_add(took / 2).unwrap_or(began);
            if best.is_none_or(|(quickest, _)| took < quickest) {
                best = Some((took, theirs - ours.as_microsecond()));
            }
        }
        if let Some((_, ahead)) = best {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_micros(self.ahead.load(Ordering::Relaxed));
        self.base.now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    fn uptime(&self) -> Duration {
        self.base.uptime()
    }
}
