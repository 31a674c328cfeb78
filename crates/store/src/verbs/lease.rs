//! Lease: a lane is taken under a random token, renewed, and given back with the time of its next work. A write under
//! another token changes nothing. Whoever takes it ends what is over, which may be all that it was due for.
//!
//! Whether a lease ran out is told by the database's own clock, which all replicas share.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptNumber, Bug, EmailAddress, Finding, FindingCode, HourOfRecipients, Lane, LaneSignal, Lease,
    LeaseToken, MessageId, MessageState, OpenAttempt, RecentCall, ResellerId, limits, planted,
};

use super::Write;
use crate::book::{Book, Change, LaneRow, LeaseRow, Needs, PacedRow};
use crate::{StoreError, etag};

/// How far back it counts recipients.
const DAY_HOURS: i64 = 24;
/// A lane that met its pace is looked at again after this: its limits may be others by then, also by a restart.
const PACE_LOOK: Duration = Duration::from_mins(1);
/// Messages that end at once: bounds one transaction. The lane stays due for the rest.
const EXPIRE_MAX: u32 = 200;

pub(crate) struct Take {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub duration: Duration,
}

impl Write for Take {
    type Answer = Option<Lease>;

    const NAME: &'static str = "take";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.lease(&self.reseller).expiring.insert(self.reseller.clone(), EXPIRE_MAX);
    }

    fn run(&self, book: &mut Book) -> Result<Option<Lease>, StoreError> {
        let now = book.now();
        let is_due = |lane: &LaneRow| lane.due_time.is_some_and(|due| due <= now);
        let is_held =
            |lane: &LaneRow| lane.lease.is_some_and(|lease| lease.until > now) && !planted(Bug::TwoHolders);
        if !book.lane(&self.reseller).is_some_and(|lane| is_due(lane) && !is_held(lane)) {
            return Ok(None);
        }
        if let Some(lane) = book.change_lane(&self.reseller) {
            lane.lease = Some(LeaseRow { token: self.token, until: until(now, self.duration) });
        }
        ends_what_is_over(book, &self.reseller)?;
        lease(book, &self.reseller, self.token)
    }
}

/// The lease as it would be given now.
pub(crate) struct Reread {
    pub reseller: ResellerId,
    pub token: LeaseToken,
}

impl Write for Reread {
    type Answer = Option<Lease>;

    const NAME: &'static str = "reread";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.lease(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<Option<Lease>, StoreError> {
        lease(book, &self.reseller, self.token)
    }
}

fn lease(book: &mut Book, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, StoreError> {
    let Some(row) = book.resellers.get(reseller) else { return Ok(None) };
    let signal = row.signal;
    let Some(lane) = row.lane.clone().filter(|lane| lane.is_leased_by(token)) else { return Ok(None) };
    Ok(Some(Lease {
        cloud: lane.cloud,
        token,
        settings: etag(lane.revision),
        signal,
        pause: lane.pause,
        hold: lane.hold,
        pace: lane.pace,
        recent_calls: recent_calls(book, reseller, &lane.mailbox),
        recent_recipients: recent_recipients(book, reseller, &lane.mailbox),
        open_attempts: open_attempts(book, reseller, token)?,
        lane: Lane { reseller: reseller.clone(), mailbox: lane.mailbox },
    }))
}

/// Calls for the mailbox, test mails' too; not the attempts that never left. When exactly a call began is not written
/// down: it counts from the last moment when it may have.
fn recent_calls(book: &Book, reseller: &ResellerId, mailbox: &EmailAddress) -> Vec<RecentCall> {
    let now = book.now();
    let after = now.saturating_sub(limits::PACE_MINUTE).unwrap_or(Timestamp::MIN);
    let mut calls: Vec<_> = book
        .attempts_of(reseller)
        .filter(|(_, attempt)| attempt.call_deadline.is_some() && attempt.mailbox == *mailbox)
        .map(|((_, message, number), attempt)| {
            let end = attempt.end.as_ref().map_or(Timestamp::MAX, |end| end.time);
            let time = until(attempt.start_time, limits::CALL_BEGINS_WITHIN).min(end).min(now);
            let time = time.max(attempt.start_time);
            RecentCall { message: *message, number: AttemptNumber(*number), time }
        })
        .filter(|call| call.time > after)
        .collect();
    calls.sort_by_key(|call| (call.time, call.message, call.number));
    calls
}

/// The hours that reach into the last day. Older ones go.
fn recent_recipients(
    book: &mut Book,
    reseller: &ResellerId,
    mailbox: &EmailAddress,
) -> Vec<HourOfRecipients> {
    let first = book.now().as_second().div_euclid(3_600) - DAY_HOURS;
    let mut hours = Vec::new();
    let mut stale = Vec::new();
    for (key, recipients) in book.hours.iter().filter(|((owner, ..), _)| owner == reseller) {
        let added = book.written.recipients.get(key).copied().unwrap_or(0);
        if key.2 < first {
            stale.push(key.clone());
        } else if key.1 == *mailbox {
            hours.push((key.2, recipients + added));
        }
    }
    book.written.stale_hours.extend(stale);
    let hour = |(hour, recipients): (i64, i64)| {
        let start = Timestamp::from_second(hour * 3_600).ok()?;
        Some(HourOfRecipients { start, recipients: u32::try_from(recipients).unwrap_or(0) })
    };
    hours.into_iter().filter_map(hour).collect()
}

/// What others than the one who asks left open: its own are no news to it.
fn open_attempts(
    book: &Book,
    reseller: &ResellerId,
    token: LeaseToken,
) -> Result<Vec<OpenAttempt>, StoreError> {
    let mut open = Vec::new();
    for ((_, id, number), attempt) in book.attempts_of(reseller) {
        let Some(call_deadline) = attempt.call_deadline.filter(|_| attempt.end.is_none()) else { continue };
        if attempt.token != Some(token) {
            let queued = book.message(reseller, *id)?.queued(*id);
            let number = AttemptNumber(*number);
            open.push((attempt.start_time, OpenAttempt { queued, number, call_deadline }));
        }
    }
    open.sort_by_key(|(start, open)| (*start, open.queued.id));
    Ok(open.into_iter().map(|(_, open)| open).collect())
}

pub(crate) struct Renew {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub duration: Duration,
}

impl Write for Renew {
    /// `None`: the lease is lost.
    type Answer = Option<LaneSignal>;

    const NAME: &'static str = "renew";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<Option<LaneSignal>, StoreError> {
        let until = until(book.now(), self.duration);
        let Some(lane) = book.leased(&self.reseller, self.token) else { return Ok(None) };
        lane.lease = Some(LeaseRow { token: self.token, until });
        Ok(book.resellers.get(&self.reseller).map(|row| row.signal))
    }
}

pub(crate) struct Release {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub pace_until: Option<Timestamp>,
}

impl Write for Release {
    type Answer = ();

    const NAME: &'static str = "release";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        let now = book.now();
        let Some(lane) = book.leased(&self.reseller, self.token) else { return Ok(()) };
        lane.lease = None;
        let look_time = |time: Timestamp| time.min(until(now, PACE_LOOK));
        lane.paced = self.pace_until.map(|until| PacedRow { until, look_time: look_time(until) });
        if planted(Bug::PaceOutlivesItsLimits) {
            lane.wait_until = lane.wait_until.max(self.pace_until);
            lane.asked_until = lane.asked_until.max(self.pace_until);
        }
        if planted(Bug::NotDueAgain) {
            lane.due_time = None;
            return Ok(());
        }
        // Behind the lanes that were due before it: each gets its turn, however old the mail of another is.
        book.due_anew(&self.reseller, Some(now));
        Ok(())
    }
}

pub(crate) struct Expire {
    pub reseller: ResellerId,
    pub token: LeaseToken,
}

impl Write for Expire {
    type Answer = Vec<MessageId>;

    const NAME: &'static str = "expire";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).expiring.insert(self.reseller.clone(), EXPIRE_MAX);
    }

    fn run(&self, book: &mut Book) -> Result<Vec<MessageId>, StoreError> {
        if !book.lane(&self.reseller).is_some_and(|lane| lane.is_leased_by(self.token)) {
            return Ok(Vec::new());
        }
        ends_what_is_over(book, &self.reseller)
    }
}

/// With an unresolved doubt that is how they end; else what stops the lane says why, if anything does.
fn ends_what_is_over(book: &mut Book, reseller: &ResellerId) -> Result<Vec<MessageId>, StoreError> {
    let now = book.now();
    let stop = book.lane(reseller).and_then(LaneRow::stop);
    if stop.is_some() {
        tell_those_who_came_due(book, reseller)?;
    }
    let over: Vec<_> = book
        .messages_of(reseller)
        .filter(|(_, row)| row.state.waits() && row.expire_time <= now && !planted(Bug::ExpiryIgnored))
        .map(|(id, row)| (id, row.in_doubt, row.finding.clone()))
        .collect();
    let mut ended = Vec::new();
    for (id, in_doubt, own) in over {
        let (to, finding) = if in_doubt && !planted(Bug::DoubtExpired) {
            let doubt = Finding::new(FindingCode::OutcomeUnknown)
                .with("reason", "an earlier attempt is in doubt, and the time for another ran out");
            (MessageState::OutcomeUnknown, Some(doubt))
        } else {
            (MessageState::Expired, stop.clone().or(own))
        };
        let change = Change { to, in_doubt, time: now };
        book.moves(reseller, id, change, finding, |_| {})?;
        ended.push(id);
    }
    Ok(ended)
}

/// SCHEDULED ends when it comes due in a lane that is stopped: from then on it reads as HELD, which nobody else would tell.
fn tell_those_who_came_due(book: &mut Book, reseller: &ResellerId) -> Result<(), StoreError> {
    let now = book.now();
    let came_due: Vec<_> = book
        .messages_of(reseller)
        .filter(|(_, row)| {
            row.state == MessageState::Scheduled && row.due_time <= now && row.expire_time > now
        })
        .map(|(id, _)| id)
        .collect();
    for id in came_due.into_iter().filter(|_| !planted(Bug::HeldNotTold)) {
        let change = Change { to: MessageState::Accepted, in_doubt: false, time: now };
        book.moves(reseller, id, change, None, |_| {})?;
    }
    Ok(())
}

fn until(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
