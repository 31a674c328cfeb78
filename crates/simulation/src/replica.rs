//! One process: a dispatcher with its ports. It crashes, stalls, and loses its database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_dispatch::ports::{self, Grant};
use postrider_dispatch::{Dispatcher, Policy, PortError, Ports, Tokens, Wakeup};
use postrider_domain::{
    AccessToken, AttemptEnd, AttemptStart, Clock, Cloud, Content, Finding, FindingCode, Lane, LaneSignal,
    Lease, LeaseToken, MessageId, Queued, ResellerId, TokenRefusal,
};
use postrider_store::memory::{End, Fate, MemoryStore};
use postrider_store::{DynStore, StoreError};
use secrecy::SecretString;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::microsoft::{Line, ModelMicrosoft};
use crate::plan::{Faults, Struck};
use crate::{Chance, SimClock, Trace};

/// What becomes of a replica's transactions, from its plan.
pub struct Storm {
    chance: Chance,
    faults: Faults,
    struck: Struck,
    is_on: AtomicBool,
    /// Nothing comes through to the database.
    is_cut: AtomicBool,
    lease: Duration,
}

impl Storm {
    pub fn new(chance: Chance, faults: Faults, struck: Struck, lease: Duration) -> Self {
        let (is_on, is_cut) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { chance, faults, struck, is_on, is_cut, lease }
    }

    pub fn rages(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    pub fn cuts(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    fn strikes(&self, odds: u32, name: &'static str) -> bool {
        let strikes = self.is_on.load(Ordering::Relaxed) && self.chance.one_in(odds);
        if strikes {
            self.struck.count(name);
        }
        strikes
    }
}

#[async_trait]
impl Fate for Storm {
    async fn of_write(&self, _: &'static str) -> End {
        tokio::time::sleep(self.chance.millis(1, 8)).await;
        if self.is_cut.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return End::Refused;
        }
        if self.strikes(self.faults.slow, "transaction later than a lease") {
            tokio::time::sleep(self.lease + self.chance.millis(0, 20_000)).await;
        }
        if self.strikes(self.faults.refused, "transaction refused") {
            return End::Refused;
        }
        if self.strikes(self.faults.lost, "commit lost") {
            return End::Lost;
        }
        if self.strikes(self.faults.unanswered, "commit applied, not answered") {
            return End::Unanswered;
        }
        End::Done
    }

    async fn answered(&self) {
        let mut way = self.chance.millis(0, 4);
        if self.strikes(self.faults.late, "answer later than a lease") {
            way = self.lease + self.chance.millis(0, 20_000);
        }
        tokio::time::sleep(way).await;
    }

    async fn of_read(&self) -> Result<(), StoreError> {
        tokio::time::sleep(self.chance.millis(0, 4)).await;
        if self.is_cut.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Err(StoreError::Unavailable { cause: "cut off".to_owned() });
        }
        Ok(())
    }
}

/// The store as the dispatcher sees it.
struct OutboxPort(DynStore, Trace, Arc<SimClock>);

fn away(_: StoreError) -> PortError {
    PortError
}

#[async_trait]
impl ports::Outbox for OutboxPort {
    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, PortError> {
        self.0.due_lanes(now, limit, except).await.map_err(away)
    }

    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, PortError> {
        self.0.next_due(except).await.map_err(away)
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, PortError> {
        let lease = self.0.lease(reseller, token, duration).await.map_err(away)?;
        if let Some(lease) = &lease {
            let (calls, open) = (lease.recent_calls.len(), lease.open_attempts.len());
            self.1.write(self.2.now(), &format!("lease {reseller} {calls} recent, {open} open"));
        }
        Ok(lease)
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, PortError> {
        self.0.renew(reseller, token, duration).await.map_err(away)
    }

    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, PortError> {
        self.0.reread(reseller, token).await.map_err(away)
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        self.0.release(reseller, token, pace_until).await.map_err(away)
    }

    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, PortError> {
        self.0.expire(reseller, token).await.map_err(away)
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, PortError> {
        self.0.next_queued(reseller, now, limit).await.map_err(away)
    }

    async fn content(
        &self,
        reseller: &ResellerId,
        message: &MessageId,
    ) -> Result<Option<Content>, PortError> {
        self.0.content(reseller, message).await.map_err(away)
    }

    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, PortError> {
        let (message, number) = (start.message, start.number.0);
        let started = self.0.start_attempt(reseller, token, start).await.map_err(away)?;
        self.1.write(self.2.now(), &format!("start {reseller} {message} {number} {started}"));
        Ok(started)
    }

    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, PortError> {
        self.0.refuse_attempt(reseller, token, start, end).await.map_err(away)
    }

    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), PortError> {
        let line = format!("end {reseller} {} {} {:?}", end.message, end.number.0, end.verdict.outcome);
        self.0.end_attempt(reseller, end).await.map_err(away)?;
        self.1.write(self.2.now(), &line);
        Ok(())
    }
}

/// Tokens for the settings that are saved now.
pub struct ModelTokens {
    store: DynStore,
    refusal: Mutex<Option<FindingCode>>,
    fetched_and_forgotten: Mutex<(usize, usize)>,
    latency: Mutex<Duration>,
}

impl ModelTokens {
    fn new(store: DynStore) -> Self {
        Self {
            store,
            refusal: Mutex::default(),
            fetched_and_forgotten: Mutex::default(),
            latency: Mutex::default(),
        }
    }

    /// Entra refuses from now on, or does not any more.
    pub fn refuses(&self, code: Option<FindingCode>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = code;
    }

    /// So long passes between what is granted and its use, from now on.
    pub fn takes(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    pub fn fetched_and_forgotten(&self) -> (usize, usize) {
        *self.fetched_and_forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tokens for ModelTokens {
    async fn grant(&self, reseller: &ResellerId) -> Result<Grant, TokenRefusal> {
        self.fetched_and_forgotten.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        let refused = |code| TokenRefusal { finding: Box::new(Finding::new(code)), retry_after: None };
        let refusal = *self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = refusal {
            return Err(refused(code));
        }
        let latency = *self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match self.store.get_settings(reseller).await {
            Ok(Some(settings)) => {
                let token = AccessToken { secret: SecretString::from("token"), expire_time: Timestamp::MAX };
                Ok(Grant { settings, token })
            }
            _ => Err(refused(FindingCode::CredentialStoreUnavailable)),
        }
    }

    async fn forget(&self, _: &Grant) {
        self.fetched_and_forgotten.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }
}

/// What outlives the processes of one replica.
pub struct Replica {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<SimClock>,
    pub tokens: Arc<ModelTokens>,
    microsoft: Arc<ModelMicrosoft>,
    chance: Chance,
    trace: Trace,
    true_clock: Arc<SimClock>,
    policy: Policy,
    process: Mutex<Option<Process>>,
    started: Mutex<u64>,
    number: u64,
}

struct Process {
    number: u64,
    wakeup: Wakeup,
    shutdown: CancellationToken,
    running: AbortHandle,
}

/// What a replica is made of.
pub struct Parts {
    pub number: u64,
    pub store: MemoryStore,
    pub clock: Arc<SimClock>,
    pub true_clock: Arc<SimClock>,
    pub microsoft: Arc<ModelMicrosoft>,
    pub chance: Chance,
    pub trace: Trace,
    pub policy: Policy,
}

impl Replica {
    pub fn new(parts: Parts) -> Self {
        let store = Arc::new(parts.store);
        Self {
            tokens: Arc::new(ModelTokens::new(Arc::clone(&store) as DynStore)),
            store,
            clock: parts.clock,
            microsoft: parts.microsoft,
            chance: parts.chance,
            trace: parts.trace,
            true_clock: parts.true_clock,
            policy: parts.policy,
            process: Mutex::default(),
            started: Mutex::default(),
            number: parts.number,
        }
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn starts(&self) {
        let count = {
            let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            *started += 1;
            *started
        };
        let number = self.number * 1_000_000 + count;
        let line =
            Line { process: number, microsoft: Arc::clone(&self.microsoft), chance: self.chance.split() };
        let outbox =
            OutboxPort(Arc::clone(&self.store) as DynStore, self.trace.clone(), Arc::clone(&self.true_clock));
        let ports = Ports {
            outbox: Arc::new(outbox),
            tokens: Arc::clone(&self.tokens) as _,
            microsoft: Arc::new(line),
            clock: Arc::clone(&self.clock) as _,
        };
        let (wakeup, shutdown) = (Wakeup::default(), CancellationToken::new());
        let dispatcher = Dispatcher::new(ports, self.policy, wakeup.clone());
        let running = tokio::spawn(dispatcher.run(shutdown.clone())).abort_handle();
        *self.process() = Some(Process { number, wakeup, shutdown, running });
    }

    /// As by kill -9: nothing more of it happens.
    pub fn crashes(&self) {
        if let Some(process) = self.process().take() {
            process.running.abort();
            self.microsoft.died(process.number);
        }
    }

    /// As by SIGTERM.
    pub fn shuts_down(&self) {
        if let Some(process) = &*self.process() {
            process.shutdown.cancel();
        }
    }

    pub fn is_finished(&self) -> bool {
        self.process().as_ref().is_none_or(|process| process.running.is_finished())
    }

    pub fn wakes(&self, reseller: &ResellerId) {
        if let Some(process) = &*self.process() {
            process.wakeup.wake(reseller);
        }
    }

    pub fn hears_of_lane(&self, reseller: &ResellerId) {
        if let Some(process) = &*self.process() {
            process.wakeup.lane_changed(reseller);
        }
    }
}
