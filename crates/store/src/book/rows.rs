//! The rows that writes look at and change, as domain values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_domain::{
    Attempt, AttemptNumber, AttemptStart, Cloud, EmailAddress, Finding, FindingCode, Hold, InDoubtPolicy,
    LaneSignal, LeaseToken, MessageId, MessageState, Outcome, PaceOverride, Pause, Priority, Queued,
    RequestId, Verdict,
};

use crate::seen::LaneSeen;
use crate::{ContentHash, WrappedKey};

/// One reseller: its counters, and its lane while it has settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResellerRow {
    pub last_revision: i64,
    pub last_event: i64,
    pub queued_messages: i64,
    pub queued_bytes: i64,
    pub signal: LaneSignal,
    pub data_key: Option<WrappedKey>,
    pub lane: Option<LaneRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneRow {
    /// Of the saved settings.
    pub revision: i64,
    pub mailbox: EmailAddress,
    pub cloud: Cloud,
    pub pace: PaceOverride,
    pub works: bool,
    /// Of the settings, while nothing holds the lane.
    pub finding: Option<Finding>,
    pub pause: Option<Pause>,
    pub hold: Option<Hold>,
    /// No message is tried before: a limit or an outage.
    pub wait_until: Option<Timestamp>,
    /// As far as Microsoft asked for it: the rest is our own guess.
    pub asked_until: Option<Timestamp>,
    /// What it asked of mailboxes that the settings do not name now, and may name again.
    pub asked_elsewhere: BTreeMap<EmailAddress, Timestamp>,
    pub paced: Option<PacedRow>,
    pub due_time: Option<Timestamp>,
    pub lease: Option<LeaseRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub token: LeaseToken,
    pub until: Timestamp,
}

/// The mailbox's pace allows no message before a time, by the limits as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacedRow {
    pub until: Timestamp,
    /// When the lane looks again: an operator may have set other limits.
    pub look_time: Timestamp,
}

impl LaneRow {
    pub(crate) fn is_leased_by(&self, token: LeaseToken) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }

    /// Until when Microsoft asked each mailbox to wait.
    pub(crate) fn asked(&self) -> BTreeMap<EmailAddress, Timestamp> {
        let own = self.asked_until.map(|until| (self.mailbox.clone(), until));
        self.asked_elsewhere.clone().into_iter().chain(own).collect()
    }

    /// Why waiting messages read as HELD, if they do.
    pub(crate) fn stop(&self) -> Option<Finding> {
        let held = || self.hold.as_ref().map(|hold| hold.finding.clone());
        self.pause.as_ref().map(Pause::finding).or_else(held)
    }

    pub(crate) fn seen(&self) -> LaneSeen {
        let paced = self.paced.map(|paced| paced.until);
        LaneSeen { stop: self.stop(), not_before: self.not_before().max(paced) }
    }

    /// What makes the lane come later to its messages than they are due.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        let look_time = self.paced.map(|paced| paced.look_time);
        self.wait_until.max(self.hold.as_ref().map(|hold| hold.probe_time)).max(look_time)
    }

    /// Somebody has work at `time`. A paused lane has none but expiry.
    pub(crate) fn is_due_at(&mut self, time: Timestamp) {
        self.due_time = Some(self.due_time.map_or(time, |due| due.min(time)));
    }
}

/// The state of one message, and what of its acceptance deciding needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub is_test: bool,
    pub priority: Priority,
    pub policy: InDoubtPolicy,
    pub create_time: Timestamp,
    pub content_bytes: i64,
    pub recipient_count: u32,
    pub request_id: Option<RequestId>,
    pub state: MessageState,
    pub due_time: Timestamp,
    pub expire_time: Timestamp,
    pub update_time: Timestamp,
    pub end_time: Option<Timestamp>,
    pub purge_time: Option<Timestamp>,
    pub has_content: bool,
    pub attempts: u32,
    pub backoffs: u32,
    pub in_doubt: bool,
    /// The number of its last event.
    pub last_event: i64,
    pub finding: Option<Finding>,
}

impl MessageRow {
    /// It waits for a day with room for its recipients.
    pub(crate) fn is_set_aside(&self, now: Timestamp) -> bool {
        let is_daily = self.finding.as_ref().is_some_and(|own| own.code == FindingCode::DailyLimit);
        self.state == MessageState::Deferred && is_daily && self.due_time > now
    }

    pub(crate) fn queued(&self, id: MessageId) -> Queued {
        Queued {
            id,
            priority: self.priority,
            attempts: self.attempts,
            backoffs: self.backoffs,
            in_doubt: self.in_doubt,
            policy: self.policy,
            due_time: self.due_time,
            expire_time: self.expire_time,
            recipient_count: self.recipient_count,
            content_bytes: u32::try_from(self.content_bytes).unwrap_or(u32::MAX),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptRow {
    pub mailbox: EmailAddress,
    pub token: Option<LeaseToken>,
    pub revision: Option<i64>,
    pub start_time: Timestamp,
    /// Absent: no call was to be made.
    pub call_deadline: Option<Timestamp>,
    pub end: Option<EndRow>,
    pub late: Option<LateRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndRow {
    pub time: Timestamp,
    pub outcome: Outcome,
    pub finding: Option<Finding>,
    pub graph_request_id: Option<String>,
}

/// News that came after somebody else had resolved the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LateRow {
    pub time: Timestamp,
    pub outcome: Outcome,
    pub graph_request_id: Option<String>,
}

impl AttemptRow {
    pub(crate) fn started(
        start: &AttemptStart,
        mailbox: EmailAddress,
        token: Option<LeaseToken>,
        revision: Option<i64>,
    ) -> Self {
        Self {
            mailbox,
            token,
            revision,
            start_time: start.start_time,
            call_deadline: Some(start.call_deadline),
            end: None,
            late: None,
        }
    }

    /// As the message's history shows it.
    pub(crate) fn shown(self, number: u32) -> Attempt {
        Self::shown_as(number, self.start_time, self.end, self.late)
    }

    /// Late news is evidence beside what was resolved.
    pub(crate) fn shown_as(
        number: u32,
        start_time: Timestamp,
        end: Option<EndRow>,
        late: Option<LateRow>,
    ) -> Attempt {
        let mut attempt = Attempt {
            number: AttemptNumber(number),
            start_time,
            end_time: None,
            outcome: None,
            finding: None,
            graph_request_id: None,
        };
        let Some(end) = end else { return attempt };
        (attempt.end_time, attempt.outcome) = (Some(end.time), Some(end.outcome));
        attempt.graph_request_id = end.graph_request_id;
        attempt.finding = end.finding.map(|finding| match late {
            Some(late) => late.beside(finding),
            None => finding,
        });
        attempt
    }
}

impl LateRow {
    fn beside(self, finding: Finding) -> Finding {
        let finding = finding.with("late_outcome", self.outcome.as_str()).with("late_time", self.time);
        match self.graph_request_id {
            Some(id) => finding.with("late_graph_request_id", id),
            None => finding,
        }
    }
}

impl EndRow {
    pub(crate) fn of(verdict: &Verdict, time: Timestamp) -> Self {
        Self {
            time,
            outcome: verdict.outcome,
            finding: verdict.finding.clone(),
            graph_request_id: verdict.graph_request_id.clone(),
        }
    }
}

/// What a request's name was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestKeyRow {
    pub message: MessageId,
    pub content_hash: ContentHash,
    pub create_time: Timestamp,
}

/// One line of what changed. Without a message: the lane was held, paused or freed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventRow {
    pub number: i64,
    pub time: Timestamp,
    pub message: Option<MessageId>,
    /// As a caller sees it.
    pub state: MessageState,
    pub next_attempt_time: Option<Timestamp>,
    pub attempts: u32,
    pub in_flight: bool,
    pub finding: Option<Finding>,
    /// It ended a wait of its message's.
    pub waited: Option<WaitedRow>,
}

/// A message was ACCEPTED or DEFERRED from one event to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitedRow {
    pub since: i64,
    pub state: MessageState,
}
