//! Reads, each with a time limit. One whose connection turns out to be dead is made on another: a server that was restarted
//! leaves dead ones behind, and a read changes nothing. None waits for a server that is known to be away.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{AssertSqlSafe, SqlStr};

use super::open::READERS;
use super::presence::Presence;
use super::{SILENCE_MAX, STATEMENT_TIMEOUT, failed};
use crate::StoreError;
use crate::sql::{Dialect, Pages, Reader, Row, Statement, Value};

/// Each read sees what is committed.
pub(crate) struct PgReader {
    pool: PgPool,
    pages: Arc<Pages>,
    presence: Arc<Presence>,
    is_pooled: bool,
}

impl PgReader {
    pub(super) fn new(pool: PgPool, pages: Arc<Pages>, presence: Arc<Presence>, is_pooled: bool) -> Self {
        Self { pool, pages, presence, is_pooled }
    }

    async fn on_a_living_connection(
        &self,
        statement: &'static Statement,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut dead = 0;
        loop {
            let arguments = Value::to_postgres(values.clone())?;
            let text = statement.text(Dialect::Postgres, 1);
            let rows = if self.is_pooled {
                self.in_transaction(text, arguments).await
            } else {
                sqlx::query_with(text, arguments).fetch_all(&self.pool).await
            };
            match rows {
                Err(error) if dead < READERS && is_dead(&error) => {
                    self.presence.doubt();
                    dead += 1;
                }
                rows => return rows,
            }
        }
    }

    /// Behind a pooler, a statement is prepared and run on one connection only within a transaction.
    async fn in_transaction(&self, text: SqlStr, arguments: PgArguments) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let limit = format!("SET LOCAL statement_timeout = {}", STATEMENT_TIMEOUT.as_millis());
        sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *transaction).await?;
        let read = sqlx::query_with(text, arguments).persistent(false);
        let rows = read.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

impl Reader for PgReader {
    async fn read(&self, statement: &'static Statement, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let unavailable = |cause: String| StoreError::Unavailable { cause };
        let _turn = self.pages.turn(statement).await?;
        tokio::select! {
            biased;
            rows = tokio::time::timeout(SILENCE_MAX, self.on_a_living_connection(statement, values)) => match rows {
                Ok(rows) => Ok(rows.map_err(|error| failed(&error))?.into_iter().map(Row::Postgres).collect()),
                Err(_) => Err(unavailable(format!("PostgreSQL was silent for too long ({})", statement.path))),
            },
            () = self.presence.is_away() => Err(unavailable(format!("PostgreSQL cannot be asked ({})", statement.path))),
        }
    }
}

/// Nobody is at its other end any more, or says that it is about to go (class 57P: the server shuts down).
fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}
