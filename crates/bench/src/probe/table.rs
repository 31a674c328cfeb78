//! One table of contents in a database that syncs, and transactions of many rows.

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection};
use uuid::Uuid;

pub(crate) enum Table {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

const MADE: &str = "CREATE TABLE IF NOT EXISTS mail (id TEXT PRIMARY KEY, content BLOB NOT NULL)";

impl Table {
    /// `sqlite:FILE` or `postgres://…`
    pub(crate) async fn open(url: &str) -> Self {
        if let Some(file) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new()
                .filename(file)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full);
            let mut db = options.connect().await.expect("a database");
            sqlx::raw_sql(MADE).execute(&mut db).await.expect("a table");
            Self::Sqlite(db)
        } else {
            let options: PgConnectOptions = url.parse().expect("a URL of PostgreSQL");
            let mut db = options.connect().await.expect("a database");
            let made = MADE.replace("BLOB", "BYTEA");
            sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut db).await.expect("a table");
            Self::Postgres(db)
        }
    }

    /// In one transaction, on disk when it returns.
    pub(crate) async fn insert(&mut self, contents: &[Vec<u8>]) {
        match self {
            Self::Sqlite(db) => {
                let rows = vec!["(?, ?)"; contents.len()].join(", ");
                let text = format!("INSERT INTO mail (id, content) VALUES {rows}");
                let mut insert = sqlx::query(AssertSqlSafe(text));
                for content in contents {
                    insert = insert.bind(new_id()).bind(content.as_slice());
                }
                insert.execute(db).await.expect("inserted");
            }
            Self::Postgres(db) => {
                let ids: Vec<String> = contents.iter().map(|_| new_id()).collect();
                let text = "INSERT INTO mail (id, content) SELECT * FROM unnest($1::text[], $2::bytea[])";
                sqlx::query(text).bind(ids).bind(contents).execute(db).await.expect("inserted");
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a limit has no time but the machine's")]
fn new_id() -> String {
    Uuid::now_v7().to_string()
}
