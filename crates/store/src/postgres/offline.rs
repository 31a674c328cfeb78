//! Without serving the database: whether it is sound, beside whoever serves it; and its schema, as the next version's
//! replicas would bring it up to date.

use jiff::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::{Connection as _, PgConnection};

use super::{PostgresStore, failed, open};
use crate::sql::{self, Checked, Dialect, Reader, Row, Statement, Value};
use crate::{Migrated, StoreError};

impl PostgresStore {
    /// Reads all of the database and changes nothing, also while replicas serve it.
    pub async fn check(url: &str) -> Result<Vec<Checked>, StoreError> {
        let (options, mut db) = open::connect(url).await?;
        open::check(&mut db).await?;
        if open::is_new(&mut db).await? {
            return Err(open::refused("the database is empty: run `postrider migrate` first"));
        }
        let version = open::check_schema(&mut db, None).await?;
        if version < open::SCHEMA.newest() {
            return Err(open::refused(&format!(
                "the database has schema {version} in place of {}: run `postrider migrate` first",
                open::SCHEMA.newest()
            )));
        }
        let now = now(&mut db).await?;
        db.close().await.ok();
        let reader = Patient(PgPool::connect_lazy_with(options));
        let checked = sql::check(&reader, now).await;
        reader.0.close().await;
        checked
    }

    /// Brings a database to this program's schema, also while replicas of the version before serve it.
    pub async fn migrate(url: &str) -> Result<Migrated, StoreError> {
        let (_, mut db) = open::connect(url).await?;
        open::check(&mut db).await?;
        let migrated = open::migrate(&mut db, None).await?;
        db.close().await.ok();
        Ok(migrated)
    }
}

async fn now(db: &mut PgConnection) -> Result<Timestamp, StoreError> {
    let micros: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .persistent(false)
        .fetch_one(db)
        .await
        .map_err(|error| failed(&error))?;
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Unavailable { cause: error.to_string() })
}

/// Reads for as long as it takes, and cannot write.
struct Patient(PgPool);

impl Reader for Patient {
    async fn read(&self, statement: &'static Statement, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let arguments = Value::to_postgres(values).map_err(|error| failed(&error))?;
        let text = statement.text(Dialect::Postgres, 1);
        let reading = async {
            let mut transaction = self.0.begin_with("BEGIN READ ONLY").await?;
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
            let read = sqlx::query_with(text, arguments).persistent(false);
            let rows = read.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        let rows: Result<_, sqlx::Error> = reading.await;
        Ok(rows.map_err(|error| failed(&error))?.into_iter().map(Row::Postgres).collect())
    }
}
