//! A store, its clock, and the sentences that promises are written in.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Clock, CredentialInfo, CredentialKind, CredentialVersion,
    EmailAddress, Finding, FindingCode, Fingerprint, Hold, InDoubtPolicy, Labels, Lease, LeaseToken, Message,
    MessageId, MessageState, Outcome, PaceOverride, Priority, RequestId, ResellerId, Resolution, Settings,
    SettingsDraft, SettingsValues, TestClock, Verdict,
};
use uuid::Uuid;

use crate::{
    Accepted, ContentHash, DynStore, MessageFilter, NewMessage, NewSettings, Put, QueueBounds, Retry,
};

/// A new, empty store under a clock that stands still at [`at`]`(0)`.
pub struct World {
    pub store: DynStore,
    pub clock: Arc<TestClock>,
    ids: AtomicU64,
    /// Whatever the store needs as long as it lives, such as its directory.
    _keep: Box<dyn Any + Send + Sync>,
}

/// So many seconds after the beginning.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A queue that is never full.
pub const UNBOUNDED: QueueBounds = QueueBounds { messages: i64::MAX, bytes: i64::MAX };

/// A retry that expires then.
pub fn again(expire_time: Timestamp, accept_duplicate: bool) -> Retry {
    Retry { expire_time, accept_duplicate, bounds: UNBOUNDED }
}

pub fn token(number: u8) -> LeaseToken {
    LeaseToken::of_random([number; 16])
}

pub fn secret_wrong() -> Finding {
    Finding::new(FindingCode::SecretWrong).with("error", "AADSTS7000215")
}

pub fn hold(probe_second: i64) -> Hold {
    Hold { finding: secret_wrong(), probe_time: at(probe_second), probes: 1 }
}

/// A verdict of broken settings, and the hold it leads to.
pub fn held_by(hold: Hold) -> (Verdict, Resolution) {
    (Verdict::of(Outcome::Deferred, hold.finding.clone()), Resolution::LaneHeld(hold))
}

pub fn sent() -> (Verdict, Resolution) {
    (Verdict::sent(Some("graph-1".to_owned())), Resolution::End(MessageState::Sent))
}

pub fn doubt(resolution: Resolution) -> (Verdict, Resolution) {
    (Verdict::of(Outcome::InDoubt, Finding::new(FindingCode::OutcomeUnknown)), resolution)
}

impl World {
    pub fn new(store: DynStore, clock: Arc<TestClock>, keep: impl Any + Send + Sync) -> Self {
        Self { store, clock, ids: AtomicU64::new(1), _keep: Box::new(keep) }
    }

    /// A clock for a new world.
    pub fn clock() -> Arc<TestClock> {
        Arc::new(TestClock::at(at(0)))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub fn slug(name: &str) -> ResellerId {
        ResellerId::parse(name).expect("a slug")
    }

    pub fn mailbox(name: &str) -> EmailAddress {
        EmailAddress::parse(&format!("{name}@acme.example")).expect("an address")
    }

    /// Settings of `sales@acme.example`, not yet put.
    pub fn new_settings(&self, reseller: &ResellerId) -> NewSettings {
        let draft = SettingsDraft {
            tenant_id: "contoso.onmicrosoft.com".into(),
            client_id: "11111111-2222-3333-4444-555555555555".into(),
            sender_mailbox: "sales@acme.example".into(),
            send_as: vec!["office@acme.example".into()],
            pace: PaceOverride { messages_per_minute: Some(7), ..PaceOverride::default() },
            labels: Labels::from([("plan".into(), "gold".into())]),
            ..SettingsDraft::default()
        };
        let operator = postrider_domain::PaceLimits {
            concurrency: 4,
            messages_per_minute: 30,
            recipients_per_day: 10_000,
        };
        NewSettings {
            reseller: reseller.clone(),
            values: SettingsValues::parse(draft, "settings", operator).expect("settings"),
            credential: CredentialInfo {
                kind: CredentialKind::ClientSecret,
                fingerprint: Fingerprint::of_store("abcd"),
                version: CredentialVersion::of_store("v1"),
                create_time: self.now(),
                expire_time: Some(at(1_000_000)),
            },
            change: None,
            finding: None,
            expected: None,
            now: self.now(),
        }
    }

    pub async fn put(&self, new: NewSettings) -> Settings {
        match self.store.put_settings(new).await.expect("put") {
            Put::Saved(settings) => *settings,
            refused => panic!("{refused:?}"),
        }
    }

    pub async fn settings(&self, reseller: &ResellerId) -> Settings {
        self.store.get_settings(reseller).await.expect("settings").expect("saved settings")
    }

    /// A reseller that may send.
    pub async fn reseller(&self, name: &str) -> ResellerId {
        let reseller = Self::slug(name);
        self.put(self.new_settings(&reseller)).await;
        reseller
    }

    /// A mail to one recipient, ready to be accepted now.
    pub fn mail(&self, reseller: &ResellerId) -> NewMessage {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        NewMessage {
            reseller: reseller.clone(),
            id: MessageId::of_uuid(Uuid::from_u128(u128::from(number))),
            request_id: None,
            content_hash: ContentHash([1; 32]),
            content: format!("mail {number}").into_bytes(),
            internet_message_id: Some(format!("<{number}@postrider.example>")),
            subject: format!("Mail {number}"),
            recipient_count: 1,
            labels: Labels::new(),
            priority: Priority::Normal,
            policy: InDoubtPolicy::AtLeastOnce,
            create_time: self.now(),
            send_time: None,
            expire_time: at(100_000),
        }
    }

    pub fn mail_of_request(&self, reseller: &ResellerId, request_id: &str) -> NewMessage {
        NewMessage { request_id: Some(RequestId::parse(request_id).expect("visible")), ..self.mail(reseller) }
    }

    pub async fn accepts(&self, new: NewMessage) -> Message {
        match self.store.accept(new, UNBOUNDED).await.expect("accept") {
            Accepted::New(message) => *message,
            other => panic!("not new: {other:?}"),
        }
    }

    /// A mail accepted now.
    pub async fn accepted(&self, reseller: &ResellerId) -> MessageId {
        self.accepts(self.mail(reseller)).await.id
    }

    pub async fn message(&self, reseller: &ResellerId, id: MessageId) -> Message {
        self.store.get_message(reseller, &id).await.expect("a message").expect("to be there")
    }

    /// All messages of a reseller, the newest first.
    pub async fn all(&self, reseller: &ResellerId) -> Vec<Message> {
        let all = MessageFilter { limit: 1_000, ..MessageFilter::default() };
        self.store.list_messages(reseller, all).await.expect("a page").messages
    }

    pub async fn state(&self, reseller: &ResellerId, id: MessageId) -> MessageState {
        self.message(reseller, id).await.state
    }

    pub async fn has_content(&self, reseller: &ResellerId, id: MessageId) -> bool {
        self.store.content(reseller, &id).await.expect("content").is_some()
    }

    /// The lane for ten seconds, if it may be had.
    pub async fn lease(&self, reseller: &ResellerId, holder: LeaseToken) -> Option<Lease> {
        self.store.lease(reseller, holder, seconds(10)).await.expect("lease")
    }

    pub async fn leased(&self, reseller: &ResellerId, holder: LeaseToken) -> Lease {
        self.lease(reseller, holder).await.expect("a lane that is free and due")
    }

    pub async fn is_due(&self, reseller: &ResellerId) -> bool {
        let due = self.store.due_lanes(self.now(), 100, &[]).await.expect("due lanes");
        due.iter().any(|lane| lane.reseller == *reseller)
    }

    /// Gives the lane back; when the first of all lanes is due again.
    pub async fn release(&self, reseller: &ResellerId, holder: LeaseToken) -> Option<Timestamp> {
        self.store.release(reseller, holder, None).await.expect("release");
        self.next_due().await
    }

    pub async fn next_due(&self) -> Option<Timestamp> {
        self.store.next_due(&[]).await.expect("an answer")
    }

    /// The attempt that begins now.
    pub fn attempt(&self, message: MessageId, number: u32) -> AttemptStart {
        let call_deadline = self.now().saturating_add(SignedDuration::from_secs(60)).expect("in range");
        AttemptStart {
            message,
            number: AttemptNumber(number),
            start_time: self.now(),
            call_deadline,
            settings: None,
            heard: None,
        }
    }

    pub async fn starts(
        &self,
        reseller: &ResellerId,
        holder: LeaseToken,
        id: MessageId,
        number: u32,
    ) -> bool {
        self.store.start_attempt(reseller, holder, self.attempt(id, number)).await.expect("start")
    }

    /// The end that comes now.
    pub fn end(
        &self,
        message: MessageId,
        number: u32,
        (verdict, resolution): (Verdict, Resolution),
    ) -> AttemptEnd {
        AttemptEnd { message, number: AttemptNumber(number), end_time: self.now(), verdict, resolution }
    }

    pub async fn ends(
        &self,
        reseller: &ResellerId,
        id: MessageId,
        number: u32,
        outcome: (Verdict, Resolution),
    ) {
        self.store.end_attempt(reseller, self.end(id, number, outcome)).await.expect("end");
    }

    /// Takes the lane, tries one message, records the outcome, and gives the lane back.
    pub async fn tries(
        &self,
        reseller: &ResellerId,
        id: MessageId,
        number: u32,
        outcome: (Verdict, Resolution),
    ) -> Option<Timestamp> {
        let holder = token(200);
        self.leased(reseller, holder).await;
        assert!(self.starts(reseller, holder, id, number).await, "the attempt starts");
        self.ends(reseller, id, number, outcome).await;
        self.release(reseller, holder).await
    }

    /// A lane held until its probe, by one message that was tried.
    pub async fn held_lane(&self, name: &str, probe_second: i64) -> (ResellerId, MessageId) {
        let reseller = self.reseller(name).await;
        let id = self.accepted(&reseller).await;
        self.tries(&reseller, id, 1, held_by(hold(probe_second))).await;
        (reseller, id)
    }
}
