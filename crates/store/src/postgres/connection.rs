//! A connection that writes, and its transactions.
//!
//! One that turns out to be dead as a transaction begins is replaced, once: a server that was restarted leaves dead ones behind,
//! and nothing was asked of it yet.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::Clock;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row as _};

use super::open::Server;
use super::{IDLE_TIMEOUT, LOCK_TIMEOUT, SILENCE_MAX, STATEMENT_TIMEOUT, failed, hints};
use crate::sql::{Db, Dialect, Row, Statement, Value};
use crate::writer::Connection;
use crate::{Changed, StoreError};

pub(crate) struct PgWriter {
    db: PgConnection,
    options: PgConnectOptions,
    /// Statements are prepared once and kept; not where a pooler changes connections.
    keeps_statements: bool,
    begin: Arc<str>,
    given_time: Option<Arc<dyn Clock>>,
    origin: String,
    broken: bool,
}

impl PgWriter {
    pub(super) async fn connect(
        server: &Server,
        given_time: Option<Arc<dyn Clock>>,
        origin: String,
    ) -> Result<Self, StoreError> {
        let db = connected(&server.options).await?;
        let milliseconds = |limit: Duration| limit.as_millis();
        let begin = format!(
            "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now",
            milliseconds(STATEMENT_TIMEOUT),
            milliseconds(LOCK_TIMEOUT),
            milliseconds(IDLE_TIMEOUT),
        );
        Ok(Self {
            db,
            options: server.options.clone(),
            keeps_statements: !server.is_pooled,
            begin: begin.into(),
            given_time,
            origin,
            broken: false,
        })
    }

    async fn asks_to_begin(&mut self) -> Result<PgRow, StoreError> {
        let begin = Arc::clone(&self.begin);
        self.answer("BEGIN", async move |db| sqlx::raw_sql(AssertSqlSafe(begin)).fetch_one(db).await).await
    }

    /// What the server answers, unless it is silent for too long or the connection fails.
    async fn answer<T>(
        &mut self,
        what: &str,
        asked: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(SILENCE_MAX, asked(&mut self.db)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.broken |= !is_an_answer(&error);
                Err(failed(&error))
            }
            Err(_) => {
                self.broken = true;
                Err(silent(what))
            }
        }
    }
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    match tokio::time::timeout(SILENCE_MAX, options.connect()).await {
        Ok(connected) => connected.map_err(|error| failed(&error)),
        Err(_) => Err(silent("the connection")),
    }
}

fn silent(what: &str) -> StoreError {
    StoreError::Unavailable { cause: format!("PostgreSQL was silent for too long ({what})") }
}

/// The server itself said so, and goes on: not that it shuts down (class 57), nor a broken connection.
fn is_an_answer(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "57014" || !(code.starts_with("57") || code.starts_with("08")))
}

impl Db for PgWriter {
    async fn fetch(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let arguments = Value::to_postgres(values).map_err(|error| failed(&error))?;
        let text = statement.text(Dialect::Postgres, rows);
        let keeps = self.keeps_statements;
        let found = self
            .answer(statement.path, async move |db| {
                sqlx::query_with(text, arguments).persistent(keeps).fetch_all(db).await
            })
            .await?;
        Ok(found.into_iter().map(Row::Postgres).collect())
    }

    async fn execute(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> Result<(), StoreError> {
        let arguments = Value::to_postgres(values).map_err(|error| failed(&error))?;
        let text = statement.text(Dialect::Postgres, rows);
        let keeps = self.keeps_statements;
        self.answer(statement.path, async move |db| {
            sqlx::query_with(text, arguments).persistent(keeps).execute(db).await.map(drop)
        })
        .await
    }
}

impl Connection for PgWriter {
    async fn begin(&mut self) -> Result<Timestamp, StoreError> {
        let row = match self.asks_to_begin().await {
            Err(error) if self.broken => {
                tracing::debug!(event = "connection_replaced", %error, "a connection was found dead and is replaced");
                self.db = connected(&self.options).await?;
                self.broken = false;
                self.asks_to_begin().await?
            }
            begun => begun?,
        };
        if let Some(given) = &self.given_time {
            return Ok(given.now());
        }
        let now: i64 = row.try_get("now").map_err(|error| failed(&error))?;
        Timestamp::from_microsecond(now).map_err(|error| StoreError::Unavailable { cause: error.to_string() })
    }

    async fn announce(&mut self, changed: &[Changed]) -> Result<(), StoreError> {
        let hint = hints::written(&self.origin, changed);
        let keeps = self.keeps_statements;
        self.answer("NOTIFY", async move |db| {
            let notify = "SELECT pg_notify($1, $2)";
            sqlx::query(notify).bind(hints::CHANNEL).bind(hint).persistent(keeps).execute(db).await.map(drop)
        })
        .await
    }

    /// An error that the server answers COMMIT with is a rollback; whatever else happens to it is not known.
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.answer("COMMIT", async |db| sqlx::raw_sql("COMMIT").execute(db).await.map(drop)).await
    }

    async fn rollback(&mut self) {
        if !self.broken {
            let rolled_back = self
                .answer("ROLLBACK", async |db| sqlx::raw_sql("ROLLBACK").execute(db).await.map(drop))
                .await;
            self.broken |= rolled_back.is_err();
        }
    }

    fn is_broken(&self) -> bool {
        self.broken
    }

    async fn close(self) {
        // A connection that is broken may not hear of it.
        drop(tokio::time::timeout(Duration::from_secs(1), self.db.close()).await);
    }
}
