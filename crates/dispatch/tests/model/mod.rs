//! A small world for the dispatcher: one lane in memory, a Microsoft that answers as told, and tokio's paused clock.

#![expect(clippy::expect_used, reason = "a world that breaks fails its test")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_dispatch::ports::{Grant, Submission};
use postrider_dispatch::{Dispatcher, Microsoft, Observer, Outbox, Policy, PortError, Ports, Tokens, Wakeup};
use postrider_domain::{
    AccessToken, AttemptEnd, AttemptStart, ClientId, Clock, Cloud, Content, CredentialInfo, CredentialKind,
    CredentialVersion, DirectoryId, EmailAddress, Etag, Fingerprint, Hold, InDoubtPolicy, Labels, Lane,
    Lease, LeaseToken, MessageId, MessageState, Outcome, PaceLimits, PaceOverride, Priority, Queued,
    ResellerId, Resolution, Settings, SettingsState, SettingsStatus, SettingsValues, TokenRefusal, Verdict,
};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const PACE: PaceLimits =
    PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 0 };

/// The wall clock, moved by tokio's.
#[derive(Debug)]
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range") + self.0.elapsed()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) state: MessageState,
    pub(crate) due: Timestamp,
    pub(crate) queued: Queued,
    pub(crate) attempts: Vec<(AttemptStart, Option<Outcome>)>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<u128, Stored>,
    hold: Option<Hold>,
    wait_until: Option<Timestamp>,
    leased: Option<LeaseToken>,
    in_flight: usize,
    most_in_flight: usize,
    answers: VecDeque<Verdict>,
    tokens_fetched: usize,
    token_refusal: Option<TokenRefusal>,
    forgotten: usize,
    calls: Vec<Timestamp>,
    write_latency: Duration,
    latencies: VecDeque<Duration>,
}

pub(crate) struct World {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    clock: Arc<PausedClock>,
    wakeup: Wakeup,
    shutdown: CancellationToken,
    /// How long Graph takes.
    pub(crate) latency: Duration,
}

pub(crate) fn reseller() -> ResellerId {
    ResellerId::parse("acme").expect("a slug")
}

fn lane() -> Lane {
    Lane { reseller: reseller(), mailbox: EmailAddress::parse("sales@acme.example").expect("an address") }
}

impl World {
    pub(crate) fn new(latency: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changes: watch::Sender::new(0),
            clock: Arc::new(PausedClock(Instant::now())),
            wakeup: Wakeup::default(),
            shutdown: CancellationToken::new(),
            latency,
        })
    }

    pub(crate) fn dispatches(self: &Arc<Self>, pace: PaceLimits) -> JoinHandle<()> {
        let ports = Ports {
            outbox: Arc::clone(self) as _,
            tokens: Arc::clone(self) as _,
            microsoft: Arc::clone(self) as _,
            observer: Arc::clone(self) as _,
            clock: Arc::clone(&self.clock) as _,
        };
        let policy = Policy { pace, lease: Duration::from_secs(10), call_timeout: Duration::from_mins(1) };
        tokio::spawn(Dispatcher::new(ports, policy, self.wakeup.clone()).run(self.shutdown.clone()))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn accepts(&self, count: u128, policy: InDoubtPolicy) {
        let now = self.now();
        let mut state = self.state();
        for _ in 0..count {
            let number = state.messages.len() as u128 + 1;
            let queued = Queued {
                id: MessageId::of_uuid(uuid::Uuid::from_u128(number)),
                priority: Priority::Normal,
                attempts: 0,
                backoffs: 0,
                in_doubt: false,
                policy,
                expire_time: Timestamp::MAX,
            };
            let stored = Stored { state: MessageState::Accepted, due: now, queued, attempts: Vec::new() };
            state.messages.insert(number, stored);
        }
        drop(state);
        self.wakeup.wake(&reseller());
    }

    /// The next calls are answered so; all after them are taken.
    pub(crate) fn answers(&self, verdicts: impl IntoIterator<Item = Verdict>) {
        self.state().answers.extend(verdicts);
    }

    pub(crate) fn refuses_tokens(&self, refusal: Option<TokenRefusal>) {
        self.state().token_refusal = refusal;
    }

    /// An outcome takes this long to be on disk, and as long again to be answered.
    pub(crate) fn takes_to_write(&self, latency: Duration) {
        self.state().write_latency = latency;
    }

    /// The next calls take so long; all after them the usual time.
    pub(crate) fn answers_after(&self, latencies: impl IntoIterator<Item = Duration>) {
        self.state().latencies.extend(latencies);
    }

    /// When calls were made.
    pub(crate) fn calls(&self) -> Vec<Timestamp> {
        self.state().calls.clone()
    }

    /// Settings were saved: the hold is lifted.
    pub(crate) fn mends(&self) {
        self.state().hold = None;
        self.wakeup.settings_changed(&reseller());
    }

    pub(crate) fn stops(&self) {
        self.shutdown.cancel();
    }

    /// Waits until the world is as asked, and returns what was looked at.
    pub(crate) async fn until<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            changes.changed().await.expect("the world goes on");
        }
    }

    pub(crate) async fn all_are(&self, state: MessageState) {
        self.until(|world| world.messages().iter().all(|m| m.state == state).then_some(())).await;
    }

    pub(crate) fn messages(&self) -> Vec<Stored> {
        self.state().messages.values().cloned().collect()
    }

    pub(crate) fn hold(&self) -> Option<Hold> {
        self.state().hold.clone()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    pub(crate) fn tokens_fetched_and_forgotten(&self) -> (usize, usize) {
        let state = self.state();
        (state.tokens_fetched, state.forgotten)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

fn waits(stored: &Stored) -> bool {
    matches!(stored.state, MessageState::Accepted | MessageState::Deferred)
}

impl State {
    fn due(&self) -> Option<Timestamp> {
        let first = self.messages.values().filter(|m| waits(m)).map(|m| m.due).min()?;
        Some(
            first
                .max(self.wait_until.unwrap_or(first))
                .max(self.hold.as_ref().map_or(first, |hold| hold.probe_time)),
        )
    }

    fn end(&mut self, end: AttemptEnd) {
        let stored = self.messages.get_mut(&end.message.as_uuid().as_u128()).expect("a message");
        let attempt = stored.attempts.last_mut().expect("an attempt");
        assert_eq!(attempt.1.replace(end.verdict.outcome), None, "an outcome is written once");
        stored.queued.in_doubt |= end.verdict.outcome == Outcome::InDoubt;
        stored.state = MessageState::Deferred;
        match end.resolution {
            Resolution::End(state) => {
                stored.state = state;
                if state == MessageState::Sent {
                    self.hold = None;
                }
            }
            Resolution::Again { at, counts } => {
                stored.due = at;
                stored.queued.backoffs += u32::from(counts);
            }
            Resolution::LaneWaits { until } => {
                stored.due = until;
                self.wait_until = self.wait_until.max(Some(until));
            }
            Resolution::LaneHeld(hold) => {
                stored.due = end.end_time;
                self.hold = Some(hold);
            }
        }
    }
}

#[async_trait]
impl Outbox for World {
    async fn due_lanes(&self, now: Timestamp, _limit: u32) -> Result<Vec<Lane>, PortError> {
        let state = self.state();
        let due = state.leased.is_none() && state.due().is_some_and(|due| due <= now);
        Ok(due.then(lane).into_iter().collect())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        let state = self.state();
        Ok(state.due().filter(|_| state.leased.is_none()))
    }

    async fn lease(
        &self,
        _: &ResellerId,
        token: LeaseToken,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<Lease>, PortError> {
        let mut state = self.state();
        assert_eq!(state.leased.replace(token), None, "a lane has one owner");
        let (hold, pace) = (state.hold.clone(), PaceOverride::default());
        let starts = state.messages.values().flat_map(|m| &m.attempts).map(|(start, _)| start.start_time);
        let recent_starts = starts.collect();
        Ok(Some(Lease { lane: lane(), token, hold, pace, recent_starts, open_attempts: Vec::new() }))
    }

    async fn renew(&self, _: &ResellerId, token: LeaseToken, _: Timestamp) -> Result<bool, PortError> {
        Ok(self.state().leased == Some(token))
    }

    async fn reread(
        &self,
        _: &ResellerId,
        token: LeaseToken,
        _: Timestamp,
    ) -> Result<Option<Lease>, PortError> {
        let state = self.state();
        let (hold, pace) = (state.hold.clone(), PaceOverride::default());
        let lease =
            Lease { lane: lane(), token, hold, pace, recent_starts: Vec::new(), open_attempts: Vec::new() };
        Ok((state.leased == Some(token)).then_some(lease))
    }

    async fn release(
        &self,
        _: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        let mut state = self.state();
        assert_eq!(state.leased.take(), Some(token));
        state.wait_until = state.wait_until.max(pace_until);
        Ok(())
    }

    async fn expire(&self, _: &ResellerId, _: LeaseToken, _: Timestamp) -> Result<Vec<MessageId>, PortError> {
        Ok(Vec::new())
    }

    async fn next_queued(
        &self,
        _: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, PortError> {
        let state = self.state();
        let mut due: Vec<_> = state.messages.values().filter(|m| waits(m) && m.due <= now).collect();
        due.sort_by_key(|m| (m.due, m.queued.id));
        Ok(due.into_iter().take(limit as usize).map(|m| m.queued.clone()).collect())
    }

    async fn content(&self, _: &ResellerId, _: &MessageId) -> Result<Option<Content>, PortError> {
        Ok(Some(Content { body: Vec::new().into(), internet_message_id: None, create_time: self.now() }))
    }

    async fn start_attempt(
        &self,
        _: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        assert_eq!(state.leased, Some(token));
        let stored = state.messages.get_mut(&start.message.as_uuid().as_u128()).expect("a message");
        stored.state = MessageState::Sending;
        stored.queued.attempts = start.number.0;
        stored.attempts.push((start, None));
        Ok(true)
    }

    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, PortError> {
        self.start_attempt(reseller, token, start).await?;
        self.end_attempt(reseller, end).await.map(|()| true)
    }

    async fn end_attempt(&self, _: &ResellerId, end: AttemptEnd) -> Result<(), PortError> {
        let latency = self.state().write_latency;
        tokio::time::sleep(latency).await;
        self.state().end(end);
        self.changed();
        tokio::time::sleep(latency).await;
        Ok(())
    }
}

#[async_trait]
impl Tokens for World {
    async fn grant(&self, reseller: &ResellerId) -> Result<Grant, TokenRefusal> {
        let mut state = self.state();
        state.tokens_fetched += 1;
        if let Some(refusal) = &state.token_refusal {
            return Err(refusal.clone());
        }
        let token = AccessToken { secret: SecretString::from("token"), expire_time: Timestamp::MAX };
        Ok(Grant { settings: settings(reseller.clone()), token })
    }

    async fn forget(&self, _: &Grant) {
        self.state().forgotten += 1;
    }
}

#[async_trait]
impl Microsoft for World {
    async fn submit(&self, _: Submission) -> Verdict {
        let latency = {
            let now = self.now();
            let mut state = self.state();
            state.calls.push(now);
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            state.latencies.pop_front().unwrap_or(self.latency)
        };
        tokio::time::sleep(latency).await;
        let mut state = self.state();
        state.in_flight -= 1;
        state.answers.pop_front().unwrap_or_else(|| Verdict::sent(None))
    }
}

impl Observer for World {
    fn message_changed(&self, _: &ResellerId, _: &MessageId) {
        self.changed();
    }

    fn lane_changed(&self, _: &ResellerId) {
        self.changed();
    }
}

fn settings(reseller: ResellerId) -> Settings {
    let time = Timestamp::UNIX_EPOCH;
    Settings {
        reseller,
        values: SettingsValues {
            directory: DirectoryId::parse("acme.example").expect("a domain"),
            client: ClientId::parse("11111111-2222-3333-4444-555555555555").expect("a GUID"),
            mailbox: lane().mailbox,
            cloud: Cloud::Global,
            send_as: Vec::new(),
            pace: PaceOverride::default(),
            labels: Labels::new(),
        },
        credential: CredentialInfo {
            kind: CredentialKind::ClientSecret,
            fingerprint: Fingerprint::of_store("00"),
            version: CredentialVersion::of_store("1"),
            create_time: time,
            expire_time: None,
        },
        status: SettingsStatus { state: SettingsState::Untested, finding: None },
        etag: Etag::of_store("1"),
        update_time: time,
    }
}
