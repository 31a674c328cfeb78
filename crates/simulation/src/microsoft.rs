//! A model of Graph, and the witness's log: which mails it received how often, and which of its limits were broken.
//!
//! A call that arrived goes on at Microsoft's side whatever becomes of the caller.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_dispatch::backoff;
use postrider_dispatch::ports::{Microsoft, Submission};
use postrider_domain::{
    Clock, Finding, FindingClass, FindingCode, MessageId, Outcome, PaceLimits, ResellerId, Verdict, limits,
};
use tokio::sync::{oneshot, watch};

use crate::plan::{Faults, Struck};
use crate::{Chance, SimClock, Trace};

/// A call whose attempt was written down before the pause may still leave.
const PAUSE_SEEN: Duration = Duration::from_secs(11);
/// Longer than any process is kept from its database.
const WRITTEN_DOWN_WITHIN: Duration = Duration::from_mins(3);
/// An outage is looked at again after this at the latest.
const OUTAGE_GAP_MAX: Duration = Duration::from_mins(1);
/// So long before its call an attempt may have been written down, with the settings of then.
const WRITTEN_BEFORE: Duration = Duration::from_secs(1);
const PROBED: &str = "a second probe of broken settings";
const GUESSED: &str = "a call before the gap of its lane";

/// How long a request is on its way, and how long Graph takes: from so many milliseconds to so many.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    pub way: (u64, u64),
    pub answer: (u64, u64),
}

impl Speed {
    /// Each call takes so long.
    pub fn exactly(millis: u64) -> Self {
        Self { way: (0, 0), answer: (millis, millis) }
    }
}

/// What Graph does with one call.
#[derive(Debug, Clone)]
pub struct Answer {
    pub verdict: Verdict,
    /// The mail is on its way to its recipients.
    pub is_taken: bool,
    /// The caller never hears of it.
    pub is_lost: bool,
    pub latency: Duration,
}

impl Answer {
    pub fn sent(latency: Duration) -> Self {
        Self { verdict: Verdict::sent(None), is_taken: true, is_lost: false, latency }
    }

    pub fn of(outcome: Outcome, code: FindingCode) -> Self {
        let verdict = Verdict::of(outcome, Finding::new(code));
        Self { verdict, is_taken: false, is_lost: false, latency: Duration::from_millis(80) }
    }

    #[must_use]
    pub fn asking_to_wait(mut self, wait: Duration) -> Self {
        self.verdict.retry_after = Some(wait);
        self
    }

    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }
}

/// What Graph was asked for, and did.
#[derive(Debug, Clone)]
pub struct Call {
    pub reseller: ResellerId,
    pub message: MessageId,
    /// What the mail says.
    pub content: String,
    /// When it arrived.
    pub time: Timestamp,
    pub is_taken: bool,
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
struct Mailbox {
    in_flight: usize,
    most_in_flight: usize,
    arrivals: VecDeque<Timestamp>,
    /// What dies with a process before it is written down no other can know.
    closed: Vec<Closed>,
    /// Calls in flight that left after its settings were refused.
    probes: usize,
    /// How often in a row a process was told to wait, and when it heard that.
    waits: BTreeMap<u64, Vec<Timestamp>>,
    /// When its settings were last saved: what was refused of those before says nothing of these.
    saved: Option<Timestamp>,
    /// When somebody last said that its lane may go on: what it guessed to wait for is over.
    went_on: Option<Timestamp>,
    /// Since when an operator has it paused.
    paused: Option<Timestamp>,
    breaches: BTreeSet<String>,
}

impl Mailbox {
    /// One more call. Whether it is a probe of broken settings.
    fn counts(&mut self, process: u64, now: Timestamp, left: Timestamp, limits: PaceLimits) -> bool {
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        if self.in_flight > limits.concurrency as usize {
            self.breaches.insert(format!("{} calls at once", self.in_flight));
        }
        if limits.messages_per_minute > 0 {
            let opened = now - Duration::from_mins(1);
            self.arrivals.retain(|arrival| *arrival > opened);
            self.arrivals.push_back(now);
            if self.arrivals.len() > limits.messages_per_minute as usize {
                self.breaches.insert(format!("{} messages within a minute", self.arrivals.len()));
            }
        }
        let is_closed =
            |closed: &&Closed| closed.process == process && closed.heard < left && left < closed.until;
        if let Some(closed) = self.closed.iter().find(is_closed) {
            self.breaches.insert(closed.why.to_owned());
        }
        if self.paused.is_some_and(|paused| left > paused + PAUSE_SEEN) {
            self.breaches.insert("a call while it was paused".to_owned());
        }
        let is_probe = self.closed.iter().any(|closed| closed.why == PROBED && closed.heard < left);
        self.probes += usize::from(is_probe);
        if self.probes > 1 {
            self.breaches.insert("two probes at once".to_owned());
        }
        is_probe
    }

    /// A process that was asked to wait, without a word of how long, waits for longer each time. Calls that left before it
    /// heard of the last time tell nothing new.
    fn gap(&mut self, process: u64, now: Timestamp, left: Timestamp) -> Duration {
        let waits = self.waits.entry(process).or_default();
        let before = waits.iter().filter(|heard| **heard < left).count();
        if waits.len() == before {
            waits.push(now);
        }
        backoff(u32::try_from(before).unwrap_or(u32::MAX))
    }

    fn goes_on(&mut self, now: Timestamp) {
        self.closed.retain(|closed| closed.why != GUESSED);
        self.went_on = Some(now);
    }

    fn is_held_no_more(&mut self) {
        self.closed.retain(|closed| closed.why != PROBED);
        self.probes = 0;
    }
}

/// A process heard that it is not to come again before a time.
#[derive(Debug)]
struct Closed {
    process: u64,
    heard: Timestamp,
    until: Timestamp,
    why: &'static str,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    mailboxes: BTreeMap<ResellerId, Mailbox>,
    /// Scripted answers, before chance is asked.
    answers: VecDeque<Answer>,
    broken: BTreeSet<ResellerId>,
    /// Who heard which 202, when; until that process died.
    told: Vec<(u64, MessageId, Timestamp)>,
    dead: BTreeSet<u64>,
    is_away: bool,
    storm: bool,
}

/// See the module.
pub struct ModelMicrosoft {
    state: Mutex<State>,
    clock: Arc<SimClock>,
    chance: Chance,
    faults: Faults,
    struck: Struck,
    trace: Trace,
    limits: PaceLimits,
    speed: Speed,
    changes: watch::Sender<u64>,
}

impl ModelMicrosoft {
    pub fn new(
        clock: Arc<SimClock>,
        chance: Chance,
        faults: Faults,
        struck: Struck,
        trace: Trace,
        limits: PaceLimits,
        speed: Speed,
    ) -> Self {
        Self {
            state: Mutex::default(),
            clock,
            chance,
            faults,
            struck,
            trace,
            limits,
            speed,
            changes: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults strike from now on, or do not.
    pub fn storms(&self, storm: bool) {
        self.state().storm = storm;
    }

    /// The next calls are answered so; all after them by chance.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().answers.extend(answers);
    }

    pub fn breaks(&self, reseller: &ResellerId) {
        self.state().broken.insert(reseller.clone());
    }

    pub fn mends(&self, reseller: &ResellerId) {
        let now = self.clock.now();
        let mut state = self.state();
        state.broken.remove(reseller);
        if let Some(mailbox) = state.mailboxes.get_mut(reseller) {
            mailbox.goes_on(now);
            mailbox.is_held_no_more();
        }
    }

    /// Settings were saved, which lifts a hold, though what is broken may still be.
    pub fn are_saved(&self, reseller: &ResellerId) {
        let now = self.clock.now();
        let mut state = self.state();
        let mailbox = state.mailboxes.entry(reseller.clone()).or_default();
        mailbox.saved = Some(now);
        mailbox.goes_on(now);
        mailbox.is_held_no_more();
    }

    /// An operator paused the lane: what comes long after is a breach.
    pub fn is_paused(&self, reseller: &ResellerId) {
        let now = self.clock.now();
        let mut state = self.state();
        let mailbox = state.mailboxes.entry(reseller.clone()).or_default();
        mailbox.paused = mailbox.paused.or(Some(now));
    }

    /// Neither paused nor held any more.
    pub fn is_free(&self, reseller: &ResellerId) {
        let now = self.clock.now();
        if let Some(mailbox) = self.state().mailboxes.get_mut(reseller) {
            mailbox.paused = None;
            mailbox.goes_on(now);
            mailbox.is_held_no_more();
        }
    }

    /// A caller retried one of its messages, which ends what its lane guessed.
    pub fn is_retried(&self, reseller: &ResellerId) {
        let now = self.clock.now();
        if let Some(mailbox) = self.state().mailboxes.get_mut(reseller) {
            mailbox.goes_on(now);
        }
    }

    pub fn is_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How often each mail was taken.
    pub fn copies(&self) -> BTreeMap<MessageId, usize> {
        let mut copies = BTreeMap::new();
        for call in self.state().calls.iter().filter(|call| call.is_taken) {
            *copies.entry(call.message).or_default() += 1;
        }
        copies
    }

    /// What each mail that was taken says.
    pub fn contents(&self) -> BTreeMap<MessageId, BTreeSet<String>> {
        let mut contents: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for call in self.state().calls.iter().filter(|call| call.is_taken) {
            contents.entry(call.message).or_default().insert(call.content.clone());
        }
        contents
    }

    /// What was found fault with.
    pub fn rejected(&self) -> BTreeSet<MessageId> {
        let state = self.state();
        let rejected = state.calls.iter().filter(|call| call.outcome == Outcome::Rejected);
        rejected.map(|call| call.message).collect()
    }

    /// Of what a process heard a 202 that lived on.
    pub fn told(&self) -> BTreeSet<MessageId> {
        self.state().told.iter().map(|(_, message, _)| *message).collect()
    }

    /// A process died: what it heard last it may not have written down.
    pub fn died(&self, process: u64) {
        let now = self.clock.now();
        self.trace.write(now, &format!("died {process}"));
        let since = now - WRITTEN_DOWN_WITHIN;
        let mut state = self.state();
        state.dead.insert(process);
        state.told.retain(|(who, _, heard)| *who != process || *heard < since);
    }

    pub fn most_in_flight(&self, reseller: &ResellerId) -> usize {
        self.state().mailboxes.get(reseller).map_or(0, |mailbox| mailbox.most_in_flight)
    }

    /// Limits that were broken, in words.
    pub fn breaches(&self) -> Vec<String> {
        let state = self.state();
        let of = |(reseller, mailbox): (&ResellerId, &Mailbox)| {
            mailbox.breaches.iter().map(|breach| format!("{reseller}: {breach}")).collect::<Vec<_>>()
        };
        state.mailboxes.iter().flat_map(of).collect()
    }

    /// Told after each call.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What it is answered, and whether it is a probe.
    fn arrives(
        &self,
        process: u64,
        reseller: &ResellerId,
        (message, content): (MessageId, String),
        left: Timestamp,
    ) -> (Answer, bool) {
        let time = self.clock.now();
        let answer = self.answer(reseller);
        let mut state = self.state();
        let (is_taken, outcome) = (answer.is_taken, answer.verdict.outcome);
        state.calls.push(Call { reseller: reseller.clone(), message, content, time, is_taken, outcome });
        let mailbox = state.mailboxes.entry(reseller.clone()).or_default();
        (answer, mailbox.counts(process, time, left, self.limits))
    }

    fn answer(&self, reseller: &ResellerId) -> Answer {
        let (scripted, is_broken, is_away, storm) = {
            let mut state = self.state();
            (state.answers.pop_front(), state.broken.contains(reseller), state.is_away, state.storm)
        };
        if let Some(answer) = scripted {
            return answer;
        }
        let latency = self.chance.millis(self.speed.answer.0, self.speed.answer.1);
        if is_away {
            return Answer::of(Outcome::Deferred, FindingCode::MicrosoftUnavailable).after(latency);
        }
        if is_broken {
            self.struck.count("settings refused");
            return Answer::of(Outcome::Deferred, FindingCode::MailSendMissing).after(latency);
        }
        let faults = if storm { self.faults } else { Faults::default() };
        self.fault(faults, latency).unwrap_or_else(|| Answer::sent(latency))
    }

    fn fault(&self, faults: Faults, latency: Duration) -> Option<Answer> {
        let strikes = |odds: u32, name: &'static str| {
            let strikes = self.chance.one_in(odds);
            if strikes {
                self.struck.count(name);
            }
            strikes
        };
        if strikes(faults.throttled, "throttled") {
            let wait = self.chance.millis(1_000, 90_000);
            let throttled = Answer::of(Outcome::Deferred, FindingCode::Throttled).after(latency);
            // At times it does not say for how long.
            return Some(if self.chance.one_in(3) { throttled } else { throttled.asking_to_wait(wait) });
        }
        if strikes(faults.unavailable, "unavailable") {
            return Some(Answer::of(Outcome::Deferred, FindingCode::MicrosoftUnavailable).after(latency));
        }
        if strikes(faults.taken_unanswered, "taken, but not answered") {
            let doubt = Answer::of(Outcome::InDoubt, FindingCode::OutcomeUnknown).after(latency);
            return Some(Answer { is_taken: true, is_lost: self.chance.one_in(2), ..doubt });
        }
        if strikes(faults.not_taken_unanswered, "not taken, and not answered") {
            let doubt = Answer::of(Outcome::InDoubt, FindingCode::OutcomeUnknown).after(latency);
            return Some(Answer { is_lost: self.chance.one_in(2), ..doubt });
        }
        if strikes(faults.graph_slow, "slow") {
            return Some(Answer::sent(self.chance.millis(5_000, 55_000)));
        }
        if strikes(faults.rejected, "rejected") {
            return Some(Answer::of(Outcome::Rejected, FindingCode::RecipientInvalid).after(latency));
        }
        if strikes(faults.token_refused, "token refused") {
            let mut refused = Answer::of(Outcome::Deferred, FindingCode::MicrosoftUnavailable).after(latency);
            refused.verdict.token_refused = true;
            return Some(refused);
        }
        None
    }

    fn leaves(&self, reseller: &ResellerId, is_probe: bool) {
        if let Some(mailbox) = self.state().mailboxes.get_mut(reseller) {
            mailbox.in_flight -= 1;
            mailbox.probes = mailbox.probes.saturating_sub(usize::from(is_probe));
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// The caller heard it: from now on it knows.
    fn heard(
        &self,
        process: u64,
        reseller: &ResellerId,
        message: MessageId,
        verdict: &Verdict,
        left: Timestamp,
    ) {
        let now = self.clock.now();
        self.trace.write(now, &format!("heard {process} {reseller} {message} {:?}", verdict.outcome));
        let mut state = self.state();
        if verdict.outcome == Outcome::Sent && !state.dead.contains(&process) {
            state.told.push((process, message, now));
        }
        let is_broken = state.broken.contains(reseller);
        let Some(mailbox) = state.mailboxes.get_mut(reseller) else { return };
        if verdict.outcome == Outcome::Sent {
            // However long it was on its way, it says that they work.
            mailbox.is_held_no_more();
            mailbox.waits.remove(&process);
        }
        let class = verdict.finding.as_ref().map(|finding| finding.class);
        let is_asked =
            matches!(class, Some(FindingClass::Limit | FindingClass::Outage)) && !verdict.token_refused;
        let gap = is_asked.then(|| mailbox.gap(process, now, left));
        let mut is_closed = |wait: Duration, why| {
            mailbox.closed.push(Closed { process, heard: now, until: now + wait, why });
        };
        if let Some(asked) = verdict.retry_after {
            is_closed(asked, "a call before its Retry-After");
        }
        let waits = verdict.retry_after.is_none() && self.faults.leave_storage_alone();
        let was_after = mailbox.went_on.is_none_or(|went_on| went_on + WRITTEN_BEFORE < left);
        if let Some(gap) = gap.filter(|_| waits && was_after) {
            is_closed(gap.min(OUTAGE_GAP_MAX), GUESSED);
        }
        let is_held = class == Some(FindingClass::Settings);
        let was_of_these = mailbox.saved.is_none_or(|saved| saved + WRITTEN_BEFORE < left);
        if is_held && is_broken && was_of_these && self.faults.leave_storage_alone() {
            is_closed(limits::PROBE_GAP_FIRST, PROBED);
        }
    }
}

/// The model as one replica reaches it.
pub struct Line {
    /// Which process of which replica it is.
    pub process: u64,
    pub microsoft: Arc<ModelMicrosoft>,
    pub chance: Chance,
}

#[async_trait]
impl Microsoft for Line {
    async fn submit(&self, submission: Submission) -> Verdict {
        let model = &self.microsoft;
        let reseller = submission.grant.settings.reseller.clone();
        let left = model.clock.now();
        let (tell, told) = oneshot::channel();
        let (process, way) = (self.process, self.chance.millis(model.speed.way.0, model.speed.way.1));
        {
            let (model, reseller, message) = (Arc::clone(model), reseller.clone(), submission.message);
            let content = String::from_utf8_lossy(&submission.content.body).into_owned();
            tokio::spawn(async move {
                tokio::time::sleep(way).await;
                let (answer, is_probe) = model.arrives(process, &reseller, (message, content), left);
                model.trace.write(
                    model.clock.now(),
                    &format!("graph {reseller} {message} {:?}", answer.verdict.outcome),
                );
                tokio::time::sleep(answer.latency).await;
                model.leaves(&reseller, is_probe);
                if answer.is_lost {
                    // The connection stays open, and nothing comes.
                    tokio::time::sleep(Duration::from_hours(1)).await;
                    drop(tell);
                } else {
                    tell.send(answer.verdict).ok();
                }
            });
        }
        match tokio::time::timeout(submission.timeout, told).await {
            Ok(Ok(verdict)) => {
                model.heard(process, &reseller, submission.message, &verdict, left);
                verdict
            }
            _ => Verdict::of(Outcome::InDoubt, Finding::new(FindingCode::OutcomeUnknown)),
        }
    }
}
