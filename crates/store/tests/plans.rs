//! Every statement prepares, and those of the hot path find their rows by the index that was made for them.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postrider_store::conformance::World;
use postrider_store::{Options, SqliteStore, StoreKind};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqlSafeStr, SqliteConnection};
use tempfile::TempDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/sqlite")
}

fn statements() -> Vec<PathBuf> {
    let verbs = std::fs::read_dir(folder()).expect("verbs").map(|verb| verb.expect("a verb").path());
    verbs
        .flat_map(|verb| std::fs::read_dir(verb).expect("statements"))
        .map(|statement| statement.expect("a statement").path())
        .collect()
}

async fn database(directory: &TempDir) -> SqliteConnection {
    let path = directory.path().join("postrider.db");
    let clock: Arc<_> = World::clock();
    SqliteStore::open(&path, clock, Options::of(StoreKind::Real)).await.expect("opened").close().await;
    SqliteConnectOptions::new().filename(path).connect().await.expect("connected")
}

/// The plans of a file's statements, a line a step.
async fn plan(db: &mut SqliteConnection, file: &str) -> String {
    let text = std::fs::read_to_string(folder().join(file).with_extension("sql")).expect("a statement");
    let sql: String =
        text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let mut steps = Vec::new();
    for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(explain)).fetch_all(&mut *db).await.expect("a plan");
        steps.extend(rows.into_iter().map(|(.., step)| step));
    }
    steps.join("\n")
}

#[tokio::test]
async fn every_statement_prepares() {
    let directory = TempDir::new().expect("a directory");
    let mut db = database(&directory).await;
    let statements = statements();
    assert!(statements.len() > 30, "only {} statements were found", statements.len());
    for path in statements {
        let sql = AssertSqlSafe(std::fs::read_to_string(&path).expect("text")).into_sql_str();
        let prepared = (&mut db).prepare(sql).await;
        assert!(prepared.is_ok(), "{}: {:?}", path.display(), prepared.err());
    }
}

#[tokio::test]
async fn the_hot_path_reads_by_its_indexes() {
    let directory = TempDir::new().expect("a directory");
    let mut db = database(&directory).await;
    for (file, indexes) in [
        ("lease/due_lanes", &["lanes_due"][..]),
        ("lease/next_due", &["lanes_due", "lanes_leased"]),
        ("lease/next_queued", &["messages_waiting (reseller=? AND priority=? AND due_time<?)"]),
        ("lease/expire", &["messages_expiring (reseller=? AND expire_time<?)"]),
        ("lease/open_attempts", &["attempts_open (reseller=?)"]),
        ("lease/recent_starts", &["attempts_started (reseller=? AND start_time>?)"]),
        (
            "lease/release",
            &[
                "messages_waiting (reseller=? AND priority=?)",
                "messages_expiring (reseller=?)",
                "attempts_open (reseller=?)",
            ],
        ),
        ("settings/usage", &["messages_waiting (reseller=?)", "messages_sent (reseller=? AND end_time>?)"]),
        ("read/list", &["m USING PRIMARY KEY (reseller=? AND message_id<?)"]),
    ] {
        let plan = plan(&mut db, file).await;
        for index in indexes {
            assert!(plan.contains(index), "{file} does not use {index}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn nothing_on_the_hot_path_scans_or_sorts_a_table() {
    let directory = TempDir::new().expect("a directory");
    let mut db = database(&directory).await;
    for file in [
        "accept/look_up",
        "accept/insert",
        "accept/insert_test",
        "read/get",
        "read/list",
        "read/content",
        "read/key",
        "lease/due_lanes",
        "lease/take",
        "lease/recent_starts",
        "lease/open_attempts",
        "lease/renew",
        "lease/reread",
        "lease/release",
        "lease/expire",
        "lease/next_queued",
        "record/start",
        "record/look_up",
        "record/end",
        "record/late",
        "record/defer",
        "record/finish",
        "record/wait",
        "record/hold",
        "record/works",
        "settings/get",
        "settings/put",
        "settings/wake",
        "settings/usage",
        "access/find",
    ] {
        let plan = plan(&mut db, file).await;
        for step in plan.lines().filter(|step| step.starts_with("SCAN ")) {
            let harmless =
                ["json_each", "VIRTUAL TABLE", "CONSTANT ROW", "USING INDEX lanes_due", "subquery", "SCAN w"];
            let is_small = harmless.iter().any(|small| step.contains(small))
                || !["messages", "lanes", "attempts", "contents", "request_keys", "settings", "access_keys"]
                    .iter()
                    .any(|table| step.contains(table));
            assert!(is_small, "{file}: {step}\n{plan}");
        }
    }
}
