//! From two databases' beginning to the checker: callers and storm together, then calm, in which everything ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mail_parser::MessageParser;
use postrider_domain::{Message, MessageId, ResellerId, SystemClock};
use postrider_proto::v1::Settings;
use postrider_sandbox::seed;
use postrider_simulation::checker::{Fault, Logs};
use postrider_store::{DynStore, MessageFilter, Options, PostgresStore, SqliteStore, StoreKind};
use postrider_testkit::{Delivered, Microsoft, Postgres, World, acme_settings};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::callers::{Callers, content};
use crate::replica::{Place, Replica};
use crate::report::Report;
use crate::storm::{Storm, Told};

const RESELLERS: usize = 24;
/// How long Microsoft takes for an answer, so that some call is open at most moments.
const ANSWER_MILLIS: u64 = 250;
/// Replicas follow the database's clock, each by its own reading.
const CLOCKS_APART: Duration = Duration::from_millis(50);
/// Longer than the gaps after several doubts.
const DRAINED_WITHIN: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) database: Database,
    pub(crate) kills: u64,
    pub(crate) seed: u64,
}

/// Fails with all that was wrong, and keeps the folder then.
pub(crate) async fn run(plan: Plan) -> Report {
    let world = World::new(&plan.program);
    let microsoft = world.microsoft().await;
    knows_all(&microsoft).await;
    for number in 0..RESELLERS {
        microsoft.plays("slow", &mailbox(number), json!({"milliseconds": ANSWER_MILLIS})).await;
    }
    let report = match plan.database {
        Database::Sqlite => {
            let one = Replica::starts(world.service(), &microsoft, "one", &Place::Sqlite).await;
            storm_and_calm(&plan, &microsoft, vec![one], None, "").await
        }
        Database::Postgres => {
            // It goes with this process.
            let server: &'static Postgres = Box::leak(Box::new(Postgres::started()));
            let database = server.database();
            let place = Place::Postgres { database: &database, server: database.address() };
            let one = Replica::starts(world.service(), &microsoft, "one", &place).await;
            let other = world.path().join("other");
            std::fs::create_dir(&other).expect("a data directory");
            for key in ["postrider.key", "admin.key"] {
                std::fs::copy(one.data_dir().join(key), other.join(key)).expect("a key");
            }
            let other = Replica::starts(world.service(), &microsoft, "other", &place).await;
            storm_and_calm(&plan, &microsoft, vec![one, other], Some(server), &database.url()).await
        }
    };
    assert!(report.is_good(), "seed {}\n{report}", plan.seed);
    report
}

pub(crate) fn reseller(number: usize) -> String {
    format!("reseller-{number}")
}

pub(crate) fn mailbox(number: usize) -> String {
    format!("sales-{number}@acme.example")
}

pub(crate) async fn knows_all(microsoft: &Microsoft) {
    let mailboxes: Vec<_> = (0..RESELLERS).map(|number| json!({"address": mailbox(number)})).collect();
    let app = json!({
        "client_id": seed::CLIENT_ID,
        "secrets": [{"id": seed::SECRET_ID, "value": seed::SECRET}],
    });
    microsoft.knows_directory(seed::TENANT_ID, &json!({"apps": [app], "mailboxes": mailboxes})).await;
}

async fn storm_and_calm(
    plan: &Plan,
    microsoft: &Microsoft,
    replicas: Vec<Replica>,
    server: Option<&'static Postgres>,
    url: &str,
) -> Report {
    let admin = replicas[0].service.admin().clone();
    let mut resellers = Vec::new();
    for number in 0..RESELLERS {
        let (reseller, sender_mailbox) = (reseller(number), mailbox(number));
        admin.puts(Settings { reseller: reseller.clone(), sender_mailbox, ..acme_settings() }).await;
        resellers.push(ResellerId::parse(&reseller).expect("a slug"));
    }
    let callers = Arc::new(Callers::new(replicas.iter().map(Replica::counter).collect()));
    let mut chance = fastrand::Rng::with_seed(plan.seed);
    let mut sending = JoinSet::new();
    for (number, reseller) in resellers.iter().enumerate() {
        sending.spawn(Arc::clone(&callers).sends(reseller.clone(), mailbox(number), chance.u64(..)));
    }
    let mut storm =
        Storm { replicas, callers: Arc::clone(&callers), server, chance, told: Told::default(), last: None };
    storm.rages(plan.kills).await;
    microsoft.forgets_scenarios().await;
    callers.end();
    while sending.join_next().await.transpose().expect("a caller").is_some() {}
    let (logs, faults) =
        judged(plan.database, &mut storm.replicas, url, &resellers, &callers, microsoft).await;
    storm.told.checks += 1;
    let lost =
        storm.replicas.iter().map(|replica| replica.gate.lost()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    Report {
        database: plan.database,
        told: storm.told,
        faults,
        lost,
        unanswered: callers.unanswered.load(Ordering::Relaxed),
        replayed: callers.replayed.load(Ordering::Relaxed),
        messages: logs.messages,
        copies: logs.copies,
    }
}

/// All faults have stopped: everything has to end, and the three logs go to the checker.
pub(crate) async fn judged(
    database: Database,
    replicas: &mut [Replica],
    url: &str,
    resellers: &[ResellerId],
    callers: &Callers,
    microsoft: &Microsoft,
) -> (Logs, Vec<Fault>) {
    timeout(DRAINED_WITHIN, drains(&replicas[0], resellers)).await.ok();
    for replica in &mut *replicas {
        let ended = replica.service.is_asked_to_end().await;
        assert_eq!(ended.code(), Some(0), "{}", replica.service.stderr());
    }
    replicas[0].is_sound().await;
    let store = opened(database, &replicas[0], url).await;
    let (logs, strays) = logs(&store, resellers, callers, microsoft).await;
    let mut faults = logs.check();
    faults.extend(strays.into_iter().map(Fault::Lost));
    (logs, faults)
}

/// Until every message has ended.
async fn drains(replica: &Replica, resellers: &[ResellerId]) {
    for reseller in resellers {
        loop {
            let messages = replica.service.admin().messages(reseller.as_str()).await;
            let has_ended = |message: &postrider_proto::v1::Message| {
                use postrider_proto::v1::MessageState::{Cancelled, Expired, Failed, OutcomeUnknown, Sent};
                [Cancelled, Expired, Failed, OutcomeUnknown, Sent].contains(&message.state())
            };
            if messages.iter().all(has_ended) {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn opened(database: Database, replica: &Replica, url: &str) -> DynStore {
    let (clock, options) = (Arc::new(SystemClock::default()), Options::of(StoreKind::Real));
    match database {
        Database::Sqlite => {
            let file = replica.data_dir().join("postrider.db");
            Arc::new(SqliteStore::open(&file, clock, options).await.expect("the store"))
        }
        Database::Postgres => {
            Arc::new(PostgresStore::open(url, clock, None, options).await.expect("the store"))
        }
    }
}

/// What the checker takes, and mail that Microsoft received and the store does not know.
async fn logs(
    store: &DynStore,
    resellers: &[ResellerId],
    callers: &Callers,
    microsoft: &Microsoft,
) -> (Logs, Vec<String>) {
    let mut messages: Vec<Message> = Vec::new();
    for reseller in resellers {
        let all = MessageFilter { limit: 1_000_000, ..MessageFilter::default() };
        messages.extend(store.list_messages(reseller, all).await.expect("messages").messages);
    }
    let by_name: BTreeMap<&str, MessageId> =
        messages.iter().filter_map(|m| Some((m.internet_message_id.as_deref()?, m.id))).collect();
    let (mut copies, mut strays): (BTreeMap<MessageId, usize>, _) = (BTreeMap::new(), Vec::new());
    let mut contents: BTreeMap<MessageId, BTreeSet<String>> = BTreeMap::new();
    for mail in microsoft.received().await {
        match by_name.get(mail.internet_message_id.as_str()) {
            Some(id) => {
                *copies.entry(*id).or_default() += 1;
                contents.entry(*id).or_default().insert(said(&mail));
            }
            None => strays.push(format!("{} was sent, and is not there", mail.subject)),
        }
    }
    let breaches = microsoft.breaches().await.iter().map(|breach| format!("{breach:?}")).collect();
    let queued = store.queue().await.expect("a queue").messages;
    let logs = Logs {
        asked: callers.log(),
        copies,
        contents,
        rejected: BTreeSet::new(),
        told: BTreeSet::new(),
        stopped: BTreeSet::new(),
        breaches,
        messages,
        watched: BTreeMap::new(),
        watch_faults: Vec::new(),
        queued,
        clocks_apart: CLOCKS_APART,
    };
    (logs, strays)
}

/// As a recipient reads it.
fn said(mail: &Delivered) -> String {
    let text = mail.text();
    let read = MessageParser::default().parse(&text).expect("a mail");
    content(read.subject().unwrap_or_default(), &read.body_text(0).unwrap_or_default())
}
