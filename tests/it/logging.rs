//! Logs: one event a line under a stable name, told in docs/logging.md; the level changes while the service runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use postrider_proto::v1::MessageState;
use postrider_testkit::{Mistake, Service, mail};
use serde_json::Value;
use tokio::process::Command;

use crate::support::given;

/// Where the service's own events are made.
const CRATES: [&str; 6] = ["server", "dispatch", "store", "credential-store", "token-cache", "microsoft"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(of).filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

/// Names in the tables of the document: those in the first cell of each row.
fn told() -> BTreeSet<String> {
    let document = std::fs::read_to_string(root().join("docs/logging.md")).unwrap();
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    cells
        .flat_map(|cell| cell.split('`'))
        .filter(|word| !word.contains([' ', ',']))
        .map(str::to_owned)
        .filter(|word| !word.is_empty())
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The first line of the log with this event, which is JSON.
async fn logs(service: &Service, event: &str) -> Value {
    let line = service.logs(&format!("\"event\":\"{event}\"")).await;
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"))
}

#[test]
fn every_event_has_a_name_and_the_document_tells_exactly_those() {
    let mut made = BTreeSet::new();
    for file in CRATES.iter().flat_map(|name| sources(&root().join("crates").join(name).join("src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for event in text.split(&format!("tracing::{level}!(")).skip(1) {
                let first = event.trim_start().trim_start_matches("target: OWN, ");
                let name = first.strip_prefix("event = \"").and_then(|rest| rest.split('"').next());
                let name = name.unwrap_or_else(|| {
                    panic!("{}: an event without a name: {level} {first:.60}", file.display())
                });
                made.insert(name.to_owned());
            }
        }
    }
    assert!(made.len() > 40, "only {} events were found", made.len());
    assert_eq!(told(), made);
}

#[tokio::test]
async fn as_json_each_line_is_an_event_with_its_names_and_fields() {
    let service = given().service().with("log.format", "json").with("log.level", "debug").starts().await;
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    let accepted = logs(&service, "message_accepted").await;
    assert_eq!(
        (&accepted["message_id"], &accepted["reseller"]),
        (&sent.message_id.clone().into(), &"acme".into())
    );
    assert_eq!(accepted["span"]["rpc"], "/postrider.v1.MailService/SendMail");
    let ended = logs(&service, "attempt_ended").await;
    assert_eq!((&ended["message_id"], &ended["outcome"]), (&sent.message_id.into(), &"sent".into()));
    service.admin().puts(Mistake::SecretsId.settings()).await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let held = logs(&service, "lane_held").await;
    assert_eq!((&held["level"], &held["finding"]), (&"WARN".into(), &"SECRET_IS_ID".into()));
    for line in service.stderr().split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    }
}

#[tokio::test]
async fn the_level_changes_by_the_file_and_a_signal_and_a_broken_file_changes_nothing() {
    let world = given();
    let file = world.file("postrider.toml", "[log]\nformat = 'json'\nlevel = 'warn'\n");
    let argument = format!("--config={}", file.display());
    let mut service = world.service().with_argument(&argument).starts().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert!(!service.stderr().contains("attempt_ended"), "{}", service.stderr());
    std::fs::write(&file, "[log]\nformat = 'json'\nlevel = 'debug'\n").unwrap();
    hangs_up(&mut service).await;
    assert_eq!(logs(&service, "log_level_changed").await["log_level"], "debug");
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    logs(&service, "message_accepted").await;
    std::fs::write(&file, "[log]\nlevel = 'loud'\n").unwrap();
    hangs_up(&mut service).await;
    let refused = logs(&service, "log_level_not_changed").await;
    assert!(refused["error"].as_str().unwrap().contains("log.level"), "{refused}");
    assert_eq!(service.page("/healthz").await.0, 200, "it serves on");
}

#[tokio::test]
async fn what_a_signal_did_is_told_however_quiet_the_log_is_or_becomes() {
    let world = given();
    let file = world.file("postrider.toml", "[log]\nformat = 'json'\nlevel = 'info'\n");
    let argument = format!("--config={}", file.display());
    let mut service = world.service().with_argument(&argument).starts().await;
    std::fs::write(&file, "[log]\nformat = 'json'\nlevel = 'off'\n").unwrap();
    hangs_up(&mut service).await;
    assert_eq!(logs(&service, "log_level_changed").await["log_level"], "off");
    hangs_up(&mut service).await;
    assert_eq!(logs(&service, "log_level_unchanged").await["log_level"], "off");
}

#[tokio::test]
async fn a_service_that_nobody_reads_any_more_goes_on_and_ends_when_it_is_asked_to() {
    for format in ["text", "json"] {
        let world = given();
        let service = world.service().with("log.format", format).with("log.level", "debug");
        let mut service = service.starts().await;
        service.program().is_read_no_more();
        for _ in 0..3 {
            let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
            assert_eq!(sent.state(), MessageState::Sent, "{format}");
        }
        assert_eq!(service.is_asked_to_end().await.code(), Some(0), "{format}");
    }
}

#[tokio::test]
async fn a_signal_says_that_it_changes_nothing_where_the_environment_sets_the_level() {
    let world = given();
    let file = world.file("postrider.toml", "[log]\nformat = 'json'\nlevel = 'debug'\n");
    let argument = format!("--config={}", file.display());
    let service = world.service().with_argument(&argument).with_environment("POSTRIDER_LOG__LEVEL", "warn");
    let mut service = service.starts().await;
    for _ in 0..2 {
        hangs_up(&mut service).await;
        assert_eq!(logs(&service, "log_level_unchanged").await["log_level"], "warn");
    }
    assert!(!service.stderr().contains("log_level_changed"), "{}", service.stderr());
}

async fn hangs_up(service: &mut Service) {
    let id = service.program().id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().await.unwrap().success());
}
