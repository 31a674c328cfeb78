//! A service with its database, its Microsoft and its resellers.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use postrider_proto::v1::{ListSettingsRequest, Pace, PauseSendingRequest, ResumeSendingRequest, Settings};
use postrider_sandbox::seed;
use postrider_testkit::postgres::Database;
use postrider_testkit::{Client, Microsoft, Postgres, Service, World, acme_settings};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::load::reseller;
use crate::meter::Meter;

/// How many settings are put, or lanes woken, at the same time.
const AT_ONCE: usize = 32;
/// What Microsoft allows for a mailbox.
pub(crate) const CONCURRENCY: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const UNBOUNDED: &str = "10000000";

/// What is measured, and where.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Ground {
    /// A folder on the disk that is measured, which goes with what it is returned as.
    pub(crate) fn room(&self) -> TempDir {
        tempfile::Builder::new().prefix("bench-").tempdir_in(&self.folder).expect("a folder")
    }

    /// The server of all databases, on the same disk.
    fn postgres(&self) -> &'static Postgres {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Postgres::started_in(&self.folder))
    }

    pub(crate) fn world(&self) -> World {
        World::new(&self.program)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Where a service keeps what it has; and, apart from that, its limit.
pub(crate) struct Storage {
    room: TempDir,
    postgres: Option<(Database<'static>, Database<'static>)>,
}

impl Storage {
    pub(crate) fn new(ground: &Ground, kind: Kind) -> Self {
        let databases = || (ground.postgres().database(), ground.postgres().database());
        Self { room: ground.room(), postgres: (kind == Kind::Postgres).then(databases) }
    }

    /// Of the probe.
    pub(crate) fn limit_url(&self) -> String {
        match &self.postgres {
            Some((_, limit)) => limit.url(),
            None => format!("sqlite:{}", self.room.path().join("limit.db").display()),
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.room.path()
    }
}

pub(crate) struct Field {
    pub(crate) microsoft: Microsoft,
    pub(crate) services: Vec<Service>,
}

impl Field {
    /// With so many replicas; nobody has settings.
    pub(crate) async fn of(ground: &Ground, storage: &Storage, replicas: usize) -> Self {
        let world = ground.world();
        let microsoft = world.microsoft().await;
        let mut services: Vec<Service> = Vec::new();
        for number in 0..replicas {
            let data = storage.path().join(format!("data-{number}"));
            if let Some(first) = services.first() {
                std::fs::create_dir(&data).expect("a data directory");
                for key in ["postrider.key", "admin.key"] {
                    std::fs::copy(first.data_dir().join(key), data.join(key)).expect("a key");
                }
            }
            let mut built =
                world.service().sending_to(&microsoft).in_data_dir(&data).with("log.level", "warn");
            for (key, value) in [
                ("pace.messages_per_minute", "0"),
                ("pace.recipients_per_day", "0"),
                ("limits.queued_messages", UNBOUNDED),
                ("limits.queued_messages_per_reseller", UNBOUNDED),
            ] {
                built = built.with(key, value);
            }
            if let Some((own, _)) = &storage.postgres {
                built = built.with("storage.url", &own.url());
            }
            services.push(built.starts().await);
        }
        Self { microsoft, services }
    }

    pub(crate) fn admin(&self) -> &Client {
        self.services[0].admin()
    }

    pub(crate) fn clients(&self) -> Vec<Client> {
        self.services.iter().map(|service| service.admin().clone()).collect()
    }

    pub(crate) fn meter(&mut self) -> Meter {
        Meter::of(self.services[0].program().id())
    }

    /// Resellers of these numbers, each with a mailbox of its own.
    pub(crate) async fn has_resellers(&self, count: usize) {
        let mailboxes: Vec<_> = (0..count).map(|number| json!({"address": mailbox(number)})).collect();
        let app = json!({
            "client_id": seed::CLIENT_ID,
            "secrets": [{"id": seed::SECRET_ID, "value": seed::SECRET}],
        });
        let directory = json!({"apps": [app], "mailboxes": mailboxes});
        self.microsoft.knows_directory(seed::TENANT_ID, &directory).await;
        self.each(count, |client, number| async move {
            let settings = Settings {
                reseller: reseller(number),
                sender_mailbox: mailbox(number),
                pace: Some(Pace { concurrency: Some(4), ..Pace::default() }),
                ..acme_settings()
            };
            client.puts(settings).await;
        })
        .await;
    }

    /// What is accepted waits until [`Field::resumes`].
    pub(crate) async fn pauses(&self, count: usize) {
        self.each(count, |client, number| async move {
            let request =
                PauseSendingRequest { reseller: reseller(number), reason: "to be measured".to_owned() };
            client.settings().pause_sending(request).await.expect("paused");
        })
        .await;
    }

    pub(crate) async fn resumes(&self, count: usize) {
        self.each(count, |client, number| async move {
            let request = ResumeSendingRequest { reseller: reseller(number), reason: String::new() };
            client.settings().resume_sending(request).await.expect("resumed");
        })
        .await;
    }

    /// How many messages of these resellers have not ended.
    async fn queued(&self, resellers: &HashSet<String>) -> u64 {
        let mut queued = 0;
        let mut page_token = String::new();
        loop {
            let request =
                ListSettingsRequest { page_size: 1_000, page_token, ..ListSettingsRequest::default() };
            let page = self.admin().settings().list_settings(request).await.expect("a page").into_inner();
            let of_these =
                page.settings.into_iter().filter(|settings| resellers.contains(&settings.reseller));
            queued += of_these
                .filter_map(|settings| settings.usage)
                .map(|usage| u64::try_from(usage.queued_messages).unwrap_or_default())
                .sum::<u64>();
            if page.next_page_token.is_empty() {
                return queued;
            }
            page_token = page.next_page_token;
        }
    }

    /// Each request to Graph is answered after that.
    pub(crate) async fn answers_within(&self, time: Duration) {
        let more = json!({"milliseconds": u64::try_from(time.as_millis()).expect("short")});
        self.microsoft.plays_for_directory("slow", seed::TENANT_ID, more).await;
    }

    pub(crate) async fn is_drained(&self, resellers: usize) {
        self.are_drained(0..resellers).await;
    }

    pub(crate) async fn are_drained(&self, resellers: Range<usize>) {
        let names: HashSet<String> = resellers.map(reseller).collect();
        while self.queued(&names).await > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn each<F: Future<Output = ()> + Send + 'static>(
        &self,
        count: usize,
        act: impl Fn(Client, usize) -> F,
    ) {
        let mut acting = JoinSet::new();
        for number in 0..count {
            if acting.len() >= AT_ONCE {
                acting.join_next().await;
            }
            acting.spawn(act(self.admin().clone(), number));
        }
        acting.join_all().await;
    }
}

pub(crate) fn mailbox(number: usize) -> String {
    format!("r{number}@acme.example")
}
