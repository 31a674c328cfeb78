//! The parts put together.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_dispatch::Policy;
use postrider_domain::{
    Clock, CredentialInfo, CredentialKind, CredentialVersion, Fingerprint, InDoubtPolicy, Labels, Message,
    MessageId, MessageState, PaceLimits, Priority, RequestId, ResellerId, Settings, SettingsDraft,
    SettingsValues,
};
use postrider_store::memory::{Fate, Kind, MemoryStore};
use postrider_store::{
    Accepted, ContentHash, MessageFilter, NewMessage, NewSettings, Outbox as _, Put, QueueBounds, Retention,
    SettingsStore as _,
};
use uuid::Uuid;

use crate::microsoft::{ModelMicrosoft, Speed};
use crate::plan::{Faults, Struck};
use crate::replica::{Parts, Replica};
use crate::{Chance, SimClock, Trace};

/// Microsoft's limits, but for the day's recipients.
pub const PACE: PaceLimits =
    PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 10_000 };
pub const LEASE: Duration = Duration::from_secs(10);
pub const UNBOUNDED: QueueBounds = QueueBounds { messages: i64::MAX, bytes: i64::MAX };

/// See the module.
pub struct World {
    pub clock: Arc<SimClock>,
    /// A handle that nothing happens to.
    pub store: MemoryStore,
    pub microsoft: Arc<ModelMicrosoft>,
    pub replicas: Vec<Arc<Replica>>,
    pub trace: Trace,
    pub chance: Chance,
    pub struck: Struck,
    policy: Policy,
    limits: PaceLimits,
}

/// What a world is like.
pub struct Builder {
    pub seed: u64,
    pub faults: Faults,
    pub pace: PaceLimits,
    pub speed: Speed,
    pub trace: Trace,
}

impl Default for Builder {
    fn default() -> Self {
        let speed = Speed { way: (1, 20), answer: (20, 400) };
        Self { seed: 0, faults: Faults::default(), pace: PACE, speed, trace: Trace::default() }
    }
}

impl Builder {
    pub fn build(self) -> World {
        let clock = Arc::new(SimClock::new());
        let chance = Chance::of_seed(self.seed);
        let struck = Struck::default();
        let store = MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>, Retention::default());
        let microsoft = ModelMicrosoft::new(
            Arc::clone(&clock),
            chance.split(),
            self.faults,
            struck.clone(),
            self.trace.clone(),
            self.pace,
            self.speed,
        );
        let policy = Policy {
            pace: self.pace,
            lease: LEASE,
            call_timeout: Duration::from_mins(1),
            calls_max: 64,
            look_every: Duration::from_secs(1),
        };
        World {
            clock,
            store,
            microsoft: Arc::new(microsoft),
            replicas: Vec::new(),
            trace: self.trace,
            chance,
            struck,
            policy,
            limits: self.pace,
        }
    }
}

impl World {
    /// For a test that scripts what happens: one replica, and nothing by chance.
    pub fn scripted(pace: PaceLimits) -> Self {
        let mut world = Builder { pace, speed: Speed::exactly(80), ..Builder::default() }.build();
        world.adds_replica(Arc::new(Kind), SignedDuration::ZERO).starts();
        world
    }

    pub fn adds_replica(&mut self, fate: Arc<dyn Fate>, skew: SignedDuration) -> Arc<Replica> {
        let clock = Arc::new(self.clock.skewed(skew));
        let replica = Replica::new(Parts {
            number: self.replicas.len() as u64,
            store: self.store.handle(fate, Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            true_clock: Arc::clone(&self.clock),
            microsoft: Arc::clone(&self.microsoft),
            chance: self.chance.split(),
            trace: self.trace.clone(),
            policy: self.policy,
        });
        let replica = Arc::new(replica);
        self.replicas.push(Arc::clone(&replica));
        replica
    }

    /// The only replica of a scripted world.
    pub fn replica(&self) -> &Arc<Replica> {
        self.replicas.first().expect("a replica")
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn slug(name: &str) -> ResellerId {
        ResellerId::parse(name).expect("a slug")
    }

    pub fn settings(&self, reseller: &ResellerId) -> NewSettings {
        let draft = SettingsDraft {
            tenant_id: "contoso.onmicrosoft.com".into(),
            client_id: "11111111-2222-3333-4444-555555555555".into(),
            sender_mailbox: format!("sales@{reseller}.example"),
            ..SettingsDraft::default()
        };
        NewSettings {
            reseller: reseller.clone(),
            values: SettingsValues::parse(draft, "settings", self.limits).expect("settings"),
            credential: CredentialInfo {
                kind: CredentialKind::ClientSecret,
                fingerprint: Fingerprint::of_store("00"),
                version: CredentialVersion::of_store("1"),
                create_time: self.now(),
                expire_time: None,
            },
            change: None,
            finding: None,
            expected: None,
            now: self.now(),
        }
    }

    /// On the paused clock: all that is due by then happens, and no real time passes.
    pub async fn time_passes(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub async fn puts(&self, new: NewSettings) -> Settings {
        match self.store.put_settings(new).await.expect("put") {
            Put::Saved(settings) => *settings,
            refused => panic!("{refused:?}"),
        }
    }

    pub async fn reseller(&self, name: &str) -> ResellerId {
        let reseller = Self::slug(name);
        self.puts(self.settings(&reseller)).await;
        reseller
    }

    /// The mail of a number; it names its request.
    pub fn mail(&self, reseller: &ResellerId, number: u128) -> NewMessage {
        let now = self.now();
        NewMessage {
            reseller: reseller.clone(),
            id: MessageId::of_uuid(Uuid::from_u128(number)),
            request_id: RequestId::parse(&format!("order-{number}")).ok(),
            content_hash: ContentHash([7; 32]),
            content: format!("mail {number}").into_bytes(),
            internet_message_id: Some(format!("<{number}@postrider.example>")),
            subject: "Mail".to_owned(),
            recipient_count: 1,
            labels: Labels::new(),
            priority: Priority::Normal,
            policy: InDoubtPolicy::AtLeastOnce,
            create_time: now,
            send_time: None,
            expire_time: now + Duration::from_hours(72),
        }
    }

    /// Accepts it, and wakes all replicas.
    pub async fn accepts(&self, new: NewMessage) -> MessageId {
        let (reseller, id) = (new.reseller.clone(), new.id);
        let accepted = self.store.accept(new, UNBOUNDED).await.expect("an answer");
        assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
        for replica in &self.replicas {
            replica.wakes(&reseller);
        }
        id
    }

    /// So many mails of one policy, numbered from 1.
    pub async fn accepts_many(&self, reseller: &ResellerId, count: u128, policy: InDoubtPolicy) {
        let first = self.messages(reseller).await.len() as u128 + 1;
        for number in first..first + count {
            self.accepts(NewMessage { policy, ..self.mail(reseller, number) }).await;
        }
    }

    /// In the order of their acceptance.
    pub async fn messages(&self, reseller: &ResellerId) -> Vec<Message> {
        let all = MessageFilter { limit: 100_000, ..MessageFilter::default() };
        let mut page = self.store.list_messages(reseller, all).await.expect("a page").messages;
        page.reverse();
        page
    }

    /// Waits until the messages are as asked, looking after each call and each second.
    pub async fn until(&self, reseller: &ResellerId, look: impl Fn(&[Message]) -> bool) {
        let mut changes = self.microsoft.changes();
        for _ in 0..1_000_000 {
            if look(&self.messages(reseller).await) {
                return;
            }
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        panic!("it never came to that");
    }

    pub async fn all_are(&self, reseller: &ResellerId, state: MessageState) {
        self.until(reseller, |messages| messages.iter().all(|message| message.state == state)).await;
    }
}
