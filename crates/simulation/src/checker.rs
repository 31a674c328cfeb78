//! The checker: what callers were told, what Microsoft received, and what the store holds at the end go in; what must not
//! be comes out, in words.
//!
//! It knows nothing of how the logs came about: simulation, crash loop and soak all end here.

mod fairness;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    Attempt, InDoubtPolicy, Message, MessageId, MessageState, Outcome, Priority, ResellerId,
};

/// Clocks of callers and replicas may differ by so much.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// One mail, as its caller knows it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub reseller: ResellerId,
    pub request: String,
    pub policy: InDoubtPolicy,
    pub priority: Priority,
    /// Not to be sent before.
    pub send_time: Option<Timestamp>,
    /// What it says, in any form that Microsoft's log has too.
    pub content: String,
    /// Where there is no memory for it, smaller mail goes first.
    pub is_large: bool,
    /// The id that was acknowledged, and when.
    pub acknowledged: Option<(MessageId, Timestamp)>,
    /// Where it stood among those that one answer accepted.
    pub batch: Option<BatchItem>,
    /// Another id that was acknowledged for the same request.
    pub twin: Option<MessageId>,
    /// Somebody retried it, and accepted that it may arrive twice.
    pub may_be_doubled: bool,
    /// Somebody retried it.
    pub was_retried: bool,
}

/// One answer of many that accepted several mails, and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchItem {
    pub answer: u64,
    pub place: usize,
}

/// The three logs.
#[derive(Debug, Default)]
pub struct Logs {
    pub asked: Vec<Asked>,
    /// Copies of each mail that Microsoft took.
    pub copies: BTreeMap<MessageId, usize>,
    /// What those copies say.
    pub contents: BTreeMap<MessageId, BTreeSet<String>>,
    /// What Microsoft found fault with.
    pub rejected: BTreeSet<MessageId>,
    /// Of what a process heard a 202, and had the time to write it down.
    pub told: BTreeSet<MessageId>,
    /// Lanes that an operator, settings or a day's limit stopped at some time.
    pub stopped: BTreeSet<ResellerId>,
    /// Limits of a mailbox that were broken, in words.
    pub breaches: Vec<String>,
    /// The store at the end.
    pub messages: Vec<Message>,
    /// What a watcher was told: states of each message, in order; and whatever was wrong with the stream itself.
    pub watched: BTreeMap<MessageId, Vec<MessageState>>,
    pub watch_faults: Vec<String>,
    /// Unfinished messages as the store counts them.
    pub queued: i64,
    /// By how much the clocks of replicas may differ.
    pub clocks_apart: Duration,
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Acknowledged, and not there.
    Lost(String),
    /// One request, two messages.
    Twins(String),
    /// What arrived is not what was asked for.
    OtherContent(String),
    /// More copies than doubts that its history shows.
    DoubledInSilence(String),
    /// The caller asked for at most once.
    DoubledAgainstPolicy(String),
    /// SENT without a recorded 202, or without a copy.
    WronglySent(String),
    /// A 202 was heard, and is not known.
    AnswerLost(String),
    /// FAILED, and Microsoft found no fault with it.
    FailedInVain(String),
    /// Tried before it was to go, or after its time ran out.
    OutOfTime(String),
    /// A doubt, or a copy, behind another end.
    HiddenDoubt(String),
    /// Not ended, long after all faults stopped.
    Stuck(String),
    OutOfOrder(String),
    OverALimit(String),
    /// Nothing bound a lane, and it waited while others were served again and again.
    Unfair(String),
    /// What a watcher was told is not what happened.
    Watch(String),
    /// A counter that is not what it counts.
    Counter(String),
    /// The code under test.
    Panicked,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Logs {
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = BTreeSet::new();
        let by_id: BTreeMap<MessageId, &Message> = self.messages.iter().map(|m| (m.id, m)).collect();
        let asked: BTreeMap<(&ResellerId, &str), &Asked> =
            self.asked.iter().map(|asked| ((&asked.reseller, asked.request.as_str()), asked)).collect();
        for asked in &self.asked {
            if let Some((id, _)) = asked.acknowledged
                && !by_id.contains_key(&id)
            {
                faults.insert(Fault::Lost(format!("{} of {}", id, asked.reseller)));
            }
        }
        self.check_twins(&mut faults);
        for message in &self.messages {
            let request = message.request_id.as_ref().map_or("", |id| id.as_str());
            let asked = asked.get(&(&message.reseller, request)).copied();
            self.check_message(message, asked, &mut faults);
        }
        faults.extend(order::check(&self.messages, &asked, self.clocks_apart));
        faults.extend(fairness::check(&self.messages, &self.stopped));
        self.check_watch(&mut faults);
        self.check_counter(&mut faults);
        faults.extend(self.breaches.iter().cloned().map(Fault::OverALimit));
        faults.into_iter().collect()
    }

    fn check_twins(&self, faults: &mut BTreeSet<Fault>) {
        for asked in self.asked.iter().filter(|asked| asked.twin.is_some()) {
            faults.insert(Fault::Twins(format!("{} of {}", asked.request, asked.reseller)));
        }
        let mut seen = BTreeSet::new();
        for message in &self.messages {
            let Some(request) = &message.request_id else { continue };
            if !seen.insert((&message.reseller, request)) {
                faults.insert(Fault::Twins(format!("{} of {}", request.as_str(), message.reseller)));
            }
        }
    }

    fn check_message(&self, message: &Message, asked: Option<&Asked>, faults: &mut BTreeSet<Fault>) {
        let copies = self.copies.get(&message.id).copied().unwrap_or(0);
        let doubts = message.attempts.iter().filter(|a| a.outcome == Some(Outcome::InDoubt)).count();
        let has_202 = message.attempts.iter().any(|attempt| {
            let late = attempt.finding.as_ref().and_then(|f| f.evidence.get("late_outcome"));
            attempt.outcome == Some(Outcome::Sent) || late.is_some_and(|late| late == "sent")
        });
        let what = || {
            format!(
                "{} of {} is {:?} with {copies} copies and {doubts} doubts",
                message.id, message.reseller, message.state
            )
        };
        let says_other = |asked: &Asked| {
            self.contents
                .get(&message.id)
                .is_some_and(|all| all.iter().any(|content| *content != asked.content))
        };
        if asked.is_some_and(says_other) {
            faults.insert(Fault::OtherContent(what()));
        }
        if copies > 1 + doubts {
            faults.insert(Fault::DoubledInSilence(what()));
        }
        let at_most_once =
            asked.is_some_and(|asked| asked.policy == InDoubtPolicy::AtMostOnce && !asked.may_be_doubled);
        if at_most_once && copies > 1 {
            faults.insert(Fault::DoubledAgainstPolicy(what()));
        }
        if (message.state == MessageState::Sent) != has_202 || (has_202 && copies == 0) {
            faults.insert(Fault::WronglySent(what()));
        }
        if self.told.contains(&message.id) && message.state != MessageState::Sent {
            faults.insert(Fault::AnswerLost(what()));
        }
        if message.state == MessageState::Failed && !self.rejected.contains(&message.id) {
            faults.insert(Fault::FailedInVain(what()));
        }
        let is_in_time = |attempt: &Attempt| {
            attempt.start_time < message.expire_time + CLOCKS_APART
                && message.send_time.is_none_or(|send| attempt.start_time + CLOCKS_APART > send)
        };
        if !asked.is_some_and(|asked| asked.was_retried) && !message.attempts.iter().all(is_in_time) {
            faults.insert(Fault::OutOfTime(what()));
        }
        let unsent_end =
            matches!(message.state, MessageState::Failed | MessageState::Expired | MessageState::Cancelled);
        if unsent_end && (copies > 0 || doubts > 0) {
            faults.insert(Fault::HiddenDoubt(what()));
        }
        if !message.state.is_end() {
            faults.insert(Fault::Stuck(what()));
        }
    }

    fn check_watch(&self, faults: &mut BTreeSet<Fault>) {
        faults.extend(self.watch_faults.iter().cloned().map(Fault::Watch));
        if self.watched.is_empty() {
            return;
        }
        for message in &self.messages {
            let last = self.watched.get(&message.id).and_then(|states| states.last());
            if last != Some(&message.state) {
                let what = format!("{} is {:?}, and was last told as {last:?}", message.id, message.state);
                faults.insert(Fault::Watch(what));
            }
        }
    }

    fn check_counter(&self, faults: &mut BTreeSet<Fault>) {
        let unfinished = self.messages.iter().filter(|message| !message.state.is_end()).count();
        if i64::try_from(unfinished) != Ok(self.queued) {
            let what = format!("{unfinished} unfinished messages, and {} are counted", self.queued);
            faults.insert(Fault::Counter(what));
        }
    }
}
