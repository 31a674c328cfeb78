//! Whether the database is there: looked at all the time on a connection of its own, whoever asks for something or not.
//!
//! Rules
//! - It is away when it cannot be asked, or when no writer can write. Both end by themselves.
//! - While it cannot be asked nobody waits for it: what is asked meanwhile is refused at once.
//! - A server that answers that it has no connection left is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{Notify, watch};

use crate::StoreHealth;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_AGAIN_WHEN_AWAY: Duration = Duration::from_millis(250);
/// How long it may take to answer that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Presence {
    writers: usize,
    /// A bit for each writer that is away.
    away: AtomicU64,
    is_there: watch::Sender<bool>,
    health: watch::Sender<StoreHealth>,
    doubts: Notify,
}

impl Presence {
    pub(super) fn new(writers: usize) -> Self {
        Self {
            writers,
            away: AtomicU64::new(0),
            is_there: watch::Sender::new(true),
            health: watch::Sender::new(StoreHealth::Serving),
            doubts: Notify::new(),
        }
    }

    pub(super) fn health(&self) -> watch::Receiver<StoreHealth> {
        self.health.subscribe()
    }

    pub(super) fn of_writer(&self, writer: usize, serving: bool) {
        let bit = 1_u64 << writer;
        if serving {
            self.away.fetch_and(!bit, Ordering::AcqRel);
        } else {
            self.away.fetch_or(bit, Ordering::AcqRel);
        }
        self.tell();
    }

    /// A connection turned out to be dead: it is looked at now.
    pub(super) fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Once it cannot be asked.
    pub(super) async fn is_away(&self) {
        // The sender is here.
        self.is_there.subscribe().wait_for(|is_there| !is_there).await.ok();
    }

    /// Until aborted.
    pub(super) async fn follow(self: Arc<Self>, options: PgConnectOptions) {
        let mut kept = None;
        loop {
            let found = tokio::time::timeout(ANSWER_WITHIN, look(&mut kept, &options)).await;
            let is_there = matches!(found, Ok(Ok(())));
            if !is_there {
                kept = None;
            }
            if self.is_there.send_replace(is_there) != is_there {
                match found {
                    Ok(Ok(())) => tracing::info!(event = "postgresql_back", "PostgreSQL can be asked again"),
                    Ok(Err(error)) => {
                        tracing::error!(event = "postgresql_away", %error, "PostgreSQL cannot be asked");
                    }
                    Err(_) => {
                        tracing::error!(event = "postgresql_away", "PostgreSQL does not answer");
                    }
                }
                self.tell();
            }
            let gap = if is_there { LOOK_EVERY } else { LOOK_AGAIN_WHEN_AWAY };
            tokio::select! {
                () = self.doubts.notified(), if is_there => {}
                () = tokio::time::sleep(gap) => {}
            }
        }
    }

    /// Judged under the lock of what is told, so that the last to tell tells the latest.
    fn tell(&self) {
        self.health.send_if_modified(|told| {
            let all_away = self.away.load(Ordering::Acquire).count_ones() as usize >= self.writers;
            let is_away = all_away || !*self.is_there.borrow();
            let health = if is_away { StoreHealth::Away } else { StoreHealth::Serving };
            std::mem::replace(told, health) != health
        });
    }
}

/// On the connection that is kept or, where it is dead, on another.
async fn look(kept: &mut Option<PgConnection>, options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    if let Some(db) = kept
        && ask(db).await.is_ok()
    {
        return Ok(());
    }
    let mut db = match options.connect().await {
        Ok(db) => db,
        Err(error) if has_no_connection_left(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    ask(&mut db).await?;
    *kept = Some(db);
    Ok(())
}

async fn ask(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SELECT 1").execute(db).await.map(drop)
}

/// `too_many_connections`
fn has_no_connection_left(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("53300")
}
