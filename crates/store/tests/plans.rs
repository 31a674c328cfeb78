//! Promise: on both databases every statement prepares, and finds its rows by the index that was made for it. What finds its
//! rows how stands in the snapshots.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postrider_store::conformance::World;
use postrider_store::{DynStore, Options, PostgresStore, SqliteStore, StoreKind};
use postrider_testkit::Postgres;
use postrider_testkit::postgres::Database;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// Tables that grow with the mail.
const GROWING: [&str; 7] =
    ["messages", "attempts", "contents", "request_keys", "events", "resellers", "audit_events"];

/// Statements of one database by their path under `sql/`, its own instead of the shared ones.
fn statements(dialect: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut statements = BTreeMap::new();
    for root in [folder.clone(), folder.join(dialect)] {
        for verb in
            folders(&root).filter(|verb| !["sqlite", "postgres"].iter().any(|other| verb.ends_with(other)))
        {
            for file in std::fs::read_dir(&verb).expect("statements").map(|file| file.expect("a file").path())
            {
                let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&file).expect("text");
                statements.insert(format!("{}/{}", name(&verb), name(&file)), text);
            }
        }
    }
    assert!(statements.len() > 60, "only {} statements were found", statements.len());
    statements
}

fn folders(root: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries: Vec<_> = std::fs::read_dir(root).expect("a folder").collect();
    entries.into_iter().map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir())
}

/// Mail of many resellers, so that a planner has something to choose by.
async fn fill(world: &World) {
    for number in 0..40 {
        let reseller = world.reseller(&format!("r{number}")).await;
        for batch in 0..4 {
            let new = (0..100)
                .map(|mail| world.mail_of_request(&reseller, &format!("order-{batch}-{mail}")))
                .collect();
            let bounds = postrider_store::conformance::UNBOUNDED;
            world.store.accept_all(new, bounds).await.expect("accepted");
        }
    }
}

/// Nothing reads a growing table whole but what may: it is asked at the start, stops at its limit, looks at all
/// resellers, or checks all that is stored.
fn assert_no_scans(plans: &BTreeMap<String, Vec<String>>, may_scan: &[&str]) {
    let may = |path: &str| path.starts_with("check/") || may_scan.contains(&path);
    for (path, steps) in plans.iter().filter(|(path, _)| !may(path)) {
        for step in steps.iter().filter(|step| step.starts_with("all of")) {
            let grows = GROWING.iter().any(|table| step.ends_with(table));
            assert!(!grows, "{path} reads {step}: {steps:#?}");
        }
    }
}

fn shown(plans: &BTreeMap<String, Vec<String>>) -> String {
    let mut text = String::new();
    for (path, steps) in plans {
        writeln!(text, "{path}").expect("written");
        for step in steps {
            writeln!(text, "    {step}").expect("written");
        }
    }
    text
}

#[tokio::test]
async fn sqlite_finds_rows_by_their_indexes() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("postrider.db");
    let options = Options::of(StoreKind::Real);
    SqliteStore::open(&path, World::clock(), options).await.expect("opened").close().await;
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.expect("connected");
    let mut plans = BTreeMap::new();
    for (path, text) in statements("sqlite") {
        plans.insert(path.clone(), sqlite_plan(&mut db, &path, &text).await);
    }
    insta::assert_snapshot!("sqlite", shown(&plans));
    assert_no_scans(
        &plans,
        &[
            "open/recover",
            "read/backlog",
            "read/first_expiries",
            "read/lanes",
            "read/oldest_events",
            "read/queued",
        ],
    );
}

async fn sqlite_plan(db: &mut SqliteConnection, path: &str, text: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
        .fetch_all(db)
        .await
        .unwrap_or_else(|error| panic!("{path} does not prepare: {error}"));
    let steps = rows.into_iter().map(|(.., step)| step);
    let mut steps: Vec<_> = steps.filter_map(|step| sqlite_step(&step)).collect();
    steps.sort();
    steps.dedup();
    steps
}

fn sqlite_step(step: &str) -> Option<String> {
    let words: Vec<_> = step.split(' ').collect();
    let index = words.iter().position(|word| *word == "INDEX").map(|at| words[at + 1]);
    match (words[0], index) {
        ("SEARCH" | "SCAN", Some(index)) if index != "(" => {
            Some(format!("{} {index}", words[0].to_lowercase()))
        }
        ("SEARCH", None) if step.contains("PRIMARY KEY") => {
            Some(format!("search primary key of {}", words[1]))
        }
        ("SCAN", _) if step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW") => None,
        ("SCAN", _) => Some(format!("all of {}", words[1])),
        ("USE", _) => Some(step.to_lowercase()),
        _ => None,
    }
}

#[tokio::test]
async fn postgres_finds_rows_by_their_indexes() {
    let database = Postgres::shared().database();
    let clock = World::clock();
    let options = Options::of(StoreKind::Real);
    let opened = PostgresStore::open(&database.url(), clock.clone(), Some(clock.clone()), options).await;
    let store: DynStore = Arc::new(opened.expect("opened"));
    fill(&World::new(store, clock, ())).await;
    database.sql("ANALYZE");
    let mut plans = BTreeMap::new();
    for (path, text) in statements("postgres") {
        plans.insert(path.clone(), postgres_plan(&database, &path, &text));
    }
    insta::assert_snapshot!("postgres", shown(&plans));
    assert_no_scans(&plans, &["read/backlog", "read/first_expiries", "read/lanes", "read/queued"]);
}

/// As it is planned for whatever values come, on tables too large to be read whole.
fn postgres_plan(database: &Database<'_>, path: &str, text: &str) -> Vec<String> {
    let text: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let text = text.join("\n");
    let parameters = (1..100).take_while(|number| text.contains(&format!("${number}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    let call = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let types = given_types(database, &text).unwrap_or_default();
    let asked = format!(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
         PREPARE asked {types} AS {text}; EXPLAIN (COSTS OFF) EXECUTE asked{call}"
    );
    let explained =
        database.try_sql(&asked).unwrap_or_else(|error| panic!("{path} does not prepare: {error}"));
    let mut steps: Vec<_> = explained.lines().filter_map(postgres_step).collect();
    steps.sort();
    steps.dedup();
    steps
}

/// Values that a statement gives a name to have the type of the column of that name.
fn given_types(database: &Database<'_>, text: &str) -> Option<String> {
    let before = [" AS (VALUES", " IN (VALUES"].iter().find_map(|values| text.split_once(values))?.0;
    let names = before.rsplit_once('(')?.1.trim_end_matches(')');
    let type_of = |name: &str| {
        let asked = format!(
            "SELECT data_type FROM information_schema.columns \
             WHERE column_name = '{name}' AND table_name <> '_sqlx_migrations' LIMIT 1"
        );
        let found = database.sql(&asked);
        if found.is_empty() { "bigint".to_owned() } else { found }
    };
    let types: Vec<_> = names.split(',').map(|name| type_of(name.trim())).collect();
    Some(format!("({})", types.join(", ")))
}

fn postgres_step(line: &str) -> Option<String> {
    let line = line.trim_start_matches([' ', '-', '>']);
    let after = |word: &str| line.split_once(word).and_then(|(_, rest)| rest.split(' ').next());
    if line.starts_with("Index") || line.starts_with("Bitmap Index Scan") {
        let index = after(" using ").or_else(|| after(" on "))?;
        return Some(format!("search {index}"));
    }
    line.starts_with("Seq Scan").then(|| after(" on ").map(|table| format!("all of {table}"))).flatten()
}
