//! When a message is tried again: the only schedule.
//!
//! The verdict says *whether*, the gaps here say *when*, and [`decide`] says both. What Microsoft asked for
//! (`Retry-After`) is never shortened. The whole schedule stands in the snapshot of `tests/schedule.rs`.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    Bug, Finding, FindingClass, FindingCode, Hold, InDoubtPolicy, MessageState, Outcome, Queued, Resolution,
    Verdict, limits, planted,
};

/// The first gap, by which each next one is tripled, and where it stops growing.
const BACKOFF_FIRST: Duration = Duration::from_secs(5);
const BACKOFF_FACTOR: u32 = 3;
const BACKOFF_MAX: Duration = Duration::from_hours(1);
/// A call that may have been taken may still be running at Microsoft's side: Graph's gateway gives up before this.
const IN_DOUBT_PAUSE: Duration = Duration::from_secs(15);
/// An outage is looked at again this often at least: it may end at any time.
const OUTAGE_MAX: Duration = Duration::from_mins(1);
/// Daily limits and full mailboxes do not mend in minutes.
const LONG_LIMIT_PAUSE: Duration = Duration::from_hours(1);
/// The gap is doubled each time, up to this.
const PROBE_MAX: Duration = Duration::from_hours(2);

/// What becomes of the message, and of its lane. `lane_waits`, how often in a row the lane has waited, and `hold` are the
/// lane's as the attempt began.
pub fn decide(
    verdict: &Verdict,
    queued: &Queued,
    lane_waits: u32,
    hold: Option<&Hold>,
    now: Timestamp,
) -> Resolution {
    match verdict.outcome {
        Outcome::Sent => Resolution::End(MessageState::Sent),
        Outcome::Rejected => Resolution::End(unless_in_doubt(queued, MessageState::Failed)),
        Outcome::InDoubt => match queued.policy {
            InDoubtPolicy::AtMostOnce if !planted(Bug::AtMostOnceRetried) => {
                Resolution::End(MessageState::OutcomeUnknown)
            }
            InDoubtPolicy::AtMostOnce | InDoubtPolicy::AtLeastOnce => {
                let gap = backoff(queued.backoffs).max(IN_DOUBT_PAUSE);
                Resolution::Again { at: later(now, gap, verdict), counts: true }
            }
        },
        Outcome::Deferred => defer(verdict, queued, lane_waits, hold, now),
    }
}

fn defer(
    verdict: &Verdict,
    queued: &Queued,
    lane_waits: u32,
    hold: Option<&Hold>,
    now: Timestamp,
) -> Resolution {
    let lane_gap = backoff(if planted(Bug::WaitsOfOneMessage) { queued.attempts } else { lane_waits });
    let Some(finding) = &verdict.finding else {
        return Resolution::Again { at: later(now, backoff(queued.backoffs), verdict), counts: true };
    };
    match finding.class {
        FindingClass::Settings => Resolution::LaneHeld(held(finding, hold, now, verdict)),
        FindingClass::Limit => {
            let long = matches!(
                finding.code,
                FindingCode::MailboxFull | FindingCode::DailyLimit | FindingCode::TenantSendLimit
            );
            let until =
                if long { later(now, LONG_LIMIT_PAUSE, verdict) } else { as_asked(now, lane_gap, verdict) };
            Resolution::LaneWaits { until }
        }
        FindingClass::Outage => {
            Resolution::LaneWaits { until: as_asked(now, lane_gap.min(OUTAGE_MAX), verdict) }
        }
        FindingClass::Message | FindingClass::InDoubt | FindingClass::Advice => {
            Resolution::Again { at: later(now, backoff(queued.backoffs), verdict), counts: true }
        }
    }
}

fn held(finding: &Finding, hold: Option<&Hold>, now: Timestamp, verdict: &Verdict) -> Hold {
    let probes = hold.map_or(0, |hold| hold.probes.saturating_add(1));
    Hold { finding: finding.clone(), probe_time: later(now, probe_gap(probes), verdict), probes }
}

/// An unresolved doubt is never hidden behind another end.
pub(crate) fn unless_in_doubt(queued: &Queued, end: MessageState) -> MessageState {
    if queued.in_doubt { MessageState::OutcomeUnknown } else { end }
}

/// The gap after so many tries that counted before: 5 s, 15 s, 45 s … 1 h.
pub fn backoff(tries: u32) -> Duration {
    BACKOFF_FACTOR
        .checked_pow(tries)
        .map_or(BACKOFF_MAX, |factor| BACKOFF_FIRST.saturating_mul(factor))
        .min(BACKOFF_MAX)
}

/// The gap after so many probes: 1 min, 2 min, 4 min … 2 h.
pub fn probe_gap(probes: u32) -> Duration {
    2_u32
        .checked_pow(probes)
        .map_or(PROBE_MAX, |factor| limits::PROBE_GAP_FIRST.saturating_mul(factor))
        .min(PROBE_MAX)
}

/// A lane that Microsoft told when to come again comes then; our own gap is for when it said nothing.
fn as_asked(now: Timestamp, gap: Duration, verdict: &Verdict) -> Timestamp {
    let asked = verdict.retry_after.filter(|asked| !asked.is_zero());
    now.saturating_add(asked.unwrap_or(gap)).unwrap_or(Timestamp::MAX)
}

/// Never before our own gap, nor before what Microsoft asked.
fn later(now: Timestamp, gap: Duration, verdict: &Verdict) -> Timestamp {
    let gap = verdict.retry_after.map_or(gap, |asked| asked.max(gap));
    now.saturating_add(gap).unwrap_or(Timestamp::MAX)
}
