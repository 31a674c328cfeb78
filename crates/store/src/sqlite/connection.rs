//! The one connection that writes.

use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::Clock;
use sqlx::{Connection as _, SqliteConnection};

use super::failed;
use crate::sql::{Db, Dialect, Row, Statement, Value};
use crate::writer::Connection;
use crate::{Changed, StoreError};

pub(crate) struct SqliteWriter {
    db: SqliteConnection,
    clock: Arc<dyn Clock>,
    #[cfg(test)]
    faults: Faults,
}

impl SqliteWriter {
    pub(super) fn new(db: SqliteConnection, clock: Arc<dyn Clock>, #[cfg(test)] faults: Faults) -> Self {
        Self {
            db,
            clock,
            #[cfg(test)]
            faults,
        }
    }
}

impl Db for SqliteWriter {
    async fn fetch(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let arguments = Value::to_sqlite(values).map_err(failed)?;
        let text = statement.text(Dialect::Sqlite, rows);
        let rows = sqlx::query_with(text, arguments).fetch_all(&mut self.db).await.map_err(failed)?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    async fn execute(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> Result<(), StoreError> {
        let arguments = Value::to_sqlite(values).map_err(failed)?;
        let text = statement.text(Dialect::Sqlite, rows);
        sqlx::query_with(text, arguments).execute(&mut self.db).await.map_err(failed)?;
        Ok(())
    }
}

impl Connection for SqliteWriter {
    async fn begin(&mut self) -> Result<Timestamp, StoreError> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.db).await.map_err(failed)?;
        Ok(self.clock.now())
    }

    /// There are no others.
    async fn announce(&mut self, _: &[Changed]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        #[cfg(test)]
        if let Some(fault) = self.faults.next() {
            let end = if fault == Fault::CommitLost { "ROLLBACK" } else { "COMMIT" };
            sqlx::query(end).execute(&mut self.db).await.map_err(failed)?;
            return Err(StoreError::Unavailable { cause: "a fault of the test's".to_owned() });
        }
        sqlx::query("COMMIT").execute(&mut self.db).await.map_err(failed)?;
        Ok(())
    }

    /// SQLite may have rolled back already; what is left open makes the next BEGIN fail.
    async fn rollback(&mut self) {
        drop(sqlx::query("ROLLBACK").execute(&mut self.db).await);
    }

    fn is_broken(&self) -> bool {
        false
    }

    /// What the log holds of deleted rows goes with it.
    async fn close(mut self) {
        drop(sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.db).await);
        drop(self.db.close().await);
    }
}

/// What the next COMMIT does instead, in tests.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, and nothing was written.
    CommitLost,
    /// It fails, and all was written.
    AnswerLost,
}

#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<std::sync::Mutex<std::collections::VecDeque<Fault>>>);

#[cfg(test)]
impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.0.lock().expect("unpoisoned").push_back(fault);
    }

    fn next(&self) -> Option<Fault> {
        self.0.lock().expect("unpoisoned").pop_front()
    }
}
