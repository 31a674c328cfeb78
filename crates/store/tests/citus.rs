//! `deploy/citus.sql` fits the schema: every table is in it, and keeps what Citus asks of one that is distributed. Citus itself
//! is not part of the tests; its functions are stood in for, so that the script is run as it stands.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use postrider_store::conformance::World;
use postrider_store::{Options, PostgresStore, StoreKind};
use postrider_testkit::Postgres;
use postrider_testkit::postgres::Database;

const SCRIPT: &str = include_str!("../../../deploy/citus.sql");

/// Our tables on the coordinator alone: the migrator's own.
const LOCAL: &str = "_sqlx_migrations";

/// They note what they are called with. A setting of a prefix that no module has is taken as it is.
const STAND_INS: &str = "
    CREATE SCHEMA citus;
    CREATE TABLE citus.calls (name text, of_column text, beside text);
    CREATE FUNCTION create_reference_table(name text) RETURNS void LANGUAGE sql AS
        'INSERT INTO citus.calls VALUES (name)';
    CREATE FUNCTION create_distributed_table(name text, of_column text, colocate_with text DEFAULT NULL)
        RETURNS void LANGUAGE sql AS 'INSERT INTO citus.calls VALUES (name, of_column, colocate_with)';";

/// A database with the schema, where the script was run.
async fn distributed() -> Database<'static> {
    let database = Postgres::shared().database();
    let clock = World::clock();
    let options = Options::of(StoreKind::Real);
    let opened = PostgresStore::open(&database.url(), clock.clone(), Some(clock.clone()), options).await;
    opened.expect("opened").close().await;
    database.sql(STAND_INS);
    database.sql(SCRIPT);
    database
}

fn lines(database: &Database<'_>, sql: &str) -> BTreeSet<String> {
    database.sql(sql).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_table_is_distributed_by_reseller_and_together_or_is_everywhere() {
    let database = distributed().await;
    let of_resellers = lines(
        &database,
        "SELECT table_name FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name = 'reseller'",
    );
    let all = lines(&database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    let spread = lines(&database, "SELECT name FROM citus.calls WHERE of_column = 'reseller'");
    let everywhere = lines(&database, "SELECT name FROM citus.calls WHERE of_column IS NULL");
    assert_eq!(spread, of_resellers);
    let others: BTreeSet<_> = all.difference(&spread).filter(|name| *name != LOCAL).cloned().collect();
    assert_eq!(everywhere, others);
    let apart = "SELECT name FROM citus.calls WHERE of_column IS NOT NULL AND name <> 'resellers'
        AND beside IS DISTINCT FROM 'resellers'";
    assert_eq!(database.sql(apart), "", "all lie beside `resellers`");
}

#[tokio::test]
async fn every_unique_key_of_a_resellers_begins_with_the_reseller() {
    let database = distributed().await;
    let others = "SELECT i.indexrelid::regclass FROM pg_index AS i
        JOIN citus.calls AS c ON i.indrelid = c.name::regclass AND c.of_column IS NOT NULL
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indisunique AND a.attname <> 'reseller'";
    assert_eq!(database.sql(others), "");
}

/// What Citus refuses, as it was tried: a lock without the reseller, and an UPDATE or DELETE with a volatile function.
#[tokio::test]
async fn no_statement_is_one_that_citus_refuses() {
    let database = distributed().await;
    let volatile = lines(&database, "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'");
    assert!(volatile.contains("gen_random_uuid") && volatile.contains("clock_timestamp"));
    let statements = statements();
    assert!(statements.len() > 60, "{}", statements.len());
    for (path, text) in statements {
        if text.contains("FOR UPDATE") && !text.contains("FROM meta") {
            let named = text.contains("reseller IN (") || text.contains("reseller = ");
            assert!(named && !text.contains("SKIP LOCKED"), "{path}: a lock without the reseller");
        }
        if text.contains("UPDATE ") || text.contains("DELETE ") {
            let refused = called(&text).find(|name| volatile.contains(*name));
            assert_eq!(refused, None, "{path} changes rows by what is volatile");
        }
    }
}

/// The statements that run on PostgreSQL, without their comments.
fn statements() -> Vec<(String, String)> {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let (mut found, mut folders) = (Vec::new(), vec![sql]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("sqlite") {
                folders.push(path);
            } else if path.is_file() {
                let text = std::fs::read_to_string(&path).expect("text");
                let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
                found.push((path.display().to_string(), code.join("\n")));
            }
        }
    }
    found
}

/// The names before an opening parenthesis.
fn called(text: &str) -> impl Iterator<Item = &str> {
    text.split('(').filter_map(|before| {
        let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
        name.filter(|name| !name.is_empty())
    })
}
