//! What several promises need beside the testkit.

use std::path::PathBuf;

use postrider_proto::v1::{
    AttemptOutcome, AuditEvent, Finding, ListAuditEventsRequest, Message, SettingsStatus,
};
use postrider_sandbox::seed;
use postrider_testkit::{Microsoft, Service, ServiceBuilder, World, in_time};
use serde_json::{Value, json};

pub(crate) fn given() -> World {
    World::new(env!("CARGO_BIN_EXE_postrider"))
}

/// A service with the stand-in in its process, and `acme` ready to send.
pub(crate) async fn ready() -> Service {
    given().service().starts().await
}

/// A service that can be killed while its Microsoft lives on, and that does not wait long for what was lost.
pub(crate) fn mortal(world: &World, microsoft: &Microsoft) -> ServiceBuilder {
    world
        .service()
        .sending_to(microsoft)
        .with("microsoft.call_timeout", "3s")
        .with("lease.duration", "2s")
        .with("pace.messages_per_minute", "0")
}

/// What the audit tells of an actor ("": whoever is unknown), as `action reason` of what was refused and `action` of what was done, in the
/// order of the alphabet. All of it comes from this machine. Waits until it is told: a refusal is answered first.
pub(crate) async fn is_told(service: &Service, actor: &str, expected: &[&str]) {
    let what = |event: &AuditEvent| match event.details.get("refused") {
        Some(reason) => format!("{} {reason}", event.action),
        None => event.action.clone(),
    };
    in_time("the audit tells it", async {
        loop {
            let all = service.admin().access().list_audit_events(ListAuditEventsRequest::default()).await;
            let events = all.unwrap().into_inner().events;
            let of_actor: Vec<_> = events.into_iter().filter(|event| event.actor == actor).collect();
            assert!(of_actor.iter().all(|event| event.source_address == "127.0.0.1"), "{of_actor:#?}");
            let mut told: Vec<_> = of_actor.iter().map(what).collect();
            told.sort();
            if told == expected {
                return;
            }
        }
    })
    .await;
}

/// All of them at the same time, answered in their order.
pub(crate) async fn together<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let started: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(started.len());
    for work in started {
        done.push(work.await.unwrap());
    }
    done
}

/// Attempts of which nobody knows whether Microsoft took the message.
pub(crate) fn doubts(message: &Message) -> usize {
    message.attempts.iter().filter(|attempt| attempt.outcome() == AttemptOutcome::InDoubt).count()
}

pub(crate) fn code(finding: Option<&Finding>) -> &str {
    finding.map_or("", |finding| &finding.code)
}

pub(crate) fn status_code(status: Option<&SettingsStatus>) -> &str {
    code(status.and_then(|status| status.finding.as_ref()))
}

/// The ready-made directory with another secret of the app that works.
pub(crate) fn directory_with_secret(value: &str) -> Value {
    json!({
        "apps": [{"client_id": seed::CLIENT_ID, "secrets": [{"id": seed::SECRET_ID, "value": value}]}],
        "mailboxes": [{"address": seed::MAILBOX}],
    })
}

/// grpcurl, or how to get it.
pub(crate) fn grpcurl() -> PathBuf {
    let given = std::env::var_os("POSTRIDER_GRPCURL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("grpcurl"));
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/grpcurl");
    given.into_iter().chain(on_path).chain([own]).find(|file| file.is_file()).expect(
        "grpcurl is neither in POSTRIDER_GRPCURL nor on PATH: `cargo xtask tools` gets it, `cargo xtask test` does all",
    )
}

/// A `PATH` on which `folders` come first.
pub(crate) fn path_with(folders: &[PathBuf]) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(folders.iter().cloned().chain(std::env::split_paths(&path))).unwrap()
}
