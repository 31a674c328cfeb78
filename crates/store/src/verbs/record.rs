//! Record: the attempt before its call, its outcome after it.
//!
//! Starting needs the live token, the settings that are saved now, and that the holder has read what others did to the lane
//! meanwhile, such as a test that takes one of the mailbox's places. An outcome is written once, by whoever comes first;
//! what comes later is appended. What an attempt may still change of its lane is decided by how the lane is *now*:
//! nothing under an old token, no hold and no READY from settings that were replaced since it began.
//!
//! Rules
//! - SENT is a recorded 202 and nothing else. A 202 lifts any state to SENT, however late; nothing lowers SENT.
//! - An unresolved doubt ends as SENT or OUTCOME_UNKNOWN.
//! - A test mail touches no lane and is never tried again.

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Bug, EmailAddress, Finding, Hold, LeaseToken, MessageId,
    MessageState, Outcome, ResellerId, Resolution, Verdict, planted,
};

use super::Write;
use super::accept::{add_recipients, count_recipients};
use crate::book::{AttemptKey, AttemptRow, Book, Change, EndRow, LateRow, Needs};
use crate::{StoreError, etag};

pub(crate) struct Start {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub attempt: AttemptStart,
}

impl Write for Start {
    type Answer = bool;

    const NAME: &'static str = "start";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).message(&self.reseller, self.attempt.message);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Some(row) = self.admitted(book) else { return Ok(false) };
        let recipients = book.message(&self.reseller, self.attempt.message)?.recipient_count;
        let mailbox = row.mailbox.clone();
        insert(book, &self.reseller, &self.attempt, row)?;
        count_recipients(book, &self.reseller, &mailbox, self.attempt.start_time, recipients);
        Ok(true)
    }
}

impl Start {
    /// Under the live token, by the settings of now, for a message that waits.
    fn admitted(&self, book: &Book) -> Option<AttemptRow> {
        let lane = book.lane(&self.reseller)?;
        let settings = etag(lane.revision);
        let heard = book.resellers.get(&self.reseller).map(|row| row.signal);
        let admits = (lane.is_leased_by(self.token) || planted(Bug::TwoHolders))
            && lane.pause.is_none()
            && self.attempt.settings.as_ref().is_none_or(|own| *own == settings)
            && (self.attempt.heard.is_none() || self.attempt.heard == heard);
        let row = book.messages.get(&(self.reseller.clone(), self.attempt.message)).filter(|_| admits)?;
        let waits = row.state.waits() && row.attempts + 1 == self.attempt.number.0;
        let (mailbox, revision) = (lane.mailbox.clone(), Some(lane.revision));
        waits.then(|| AttemptRow::started(&self.attempt, mailbox, Some(self.token), revision))
    }
}

fn insert(
    book: &mut Book,
    reseller: &ResellerId,
    start: &AttemptStart,
    row: AttemptRow,
) -> Result<(), StoreError> {
    let key = (reseller.clone(), start.message, start.number.0);
    book.attempts.insert(key, row);
    let before = book.message(reseller, start.message)?;
    let (in_doubt, finding) = (before.in_doubt, before.finding.clone());
    let change = Change { to: MessageState::Sending, in_doubt, time: start.start_time };
    book.moves(reseller, start.message, change, finding, |row| row.attempts = start.number.0)
}

/// Start and end of an attempt that never left.
pub(crate) struct Refuse {
    pub start: Start,
    pub end: AttemptEnd,
}

impl Write for Refuse {
    type Answer = bool;

    const NAME: &'static str = "refuse";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.start.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        self.start.needs(needs);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Some(row) = self.start.admitted(book) else { return Ok(false) };
        insert(book, &self.start.reseller, &self.start.attempt, AttemptRow { call_deadline: None, ..row })?;
        end(book, &self.start.reseller, &self.end)?;
        Ok(true)
    }
}

/// Ends what waits, or is in flight, as in doubt whatever its policy: another may have sent it.
pub(crate) struct Doubt {
    pub reseller: ResellerId,
    pub id: MessageId,
    /// The open attempt, or the next.
    pub number: AttemptNumber,
    pub finding: Finding,
}

impl Write for Doubt {
    type Answer = bool;

    const NAME: &'static str = "doubt";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        let Self { reseller, id, number, .. } = self;
        needs.reseller(reseller).message(reseller, *id).attempt(reseller, *id, *number);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let (message, number, now) = (self.id, self.number, book.now());
        let (Some(row), Some(lane)) =
            (book.messages.get(&(self.reseller.clone(), message)), book.lane(&self.reseller))
        else {
            return Ok(false);
        };
        if row.state.waits() && row.attempts + 1 == number.0 {
            let mailbox = lane.mailbox.clone();
            let start = AttemptStart {
                message,
                number,
                start_time: now,
                call_deadline: now,
                settings: None,
                heard: None,
            };
            let attempt = AttemptRow::started(&start, mailbox, None, None);
            insert(book, &self.reseller, &start, AttemptRow { call_deadline: None, ..attempt })?;
        } else if row.state != MessageState::Sending {
            return Ok(false);
        }
        let verdict = Verdict::of(Outcome::InDoubt, self.finding.clone());
        let resolution = Resolution::End(MessageState::OutcomeUnknown);
        end(book, &self.reseller, &AttemptEnd { message, number, end_time: now, verdict, resolution })?;
        Ok(true)
    }
}

pub(crate) struct End {
    pub reseller: ResellerId,
    pub end: AttemptEnd,
}

impl Write for End {
    type Answer = ();

    const NAME: &'static str = "end";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        let AttemptEnd { message, number, .. } = self.end;
        needs.reseller(&self.reseller).message(&self.reseller, message).attempt(
            &self.reseller,
            message,
            number,
        );
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        end(book, &self.reseller, &self.end)
    }
}

/// What of its lane and settings an attempt may still change. Nothing, if it was started under a token that is not the
/// lane's now.
struct Reach {
    /// They are the settings it was made with: it tells whether they work.
    settings: bool,
    /// It is the mailbox it was made for.
    wait: bool,
    /// What Microsoft asked of it holds for the lane: of a test's too, if it is that mailbox.
    asked: bool,
}

fn reach(book: &Book, reseller: &ResellerId, attempt: &AttemptRow, is_test: bool) -> Reach {
    let own = book.lane(reseller).filter(|lane| attempt.token.is_some_and(|token| lane.is_leased_by(token)));
    let own = own.filter(|_| !is_test);
    let wait = own.is_some_and(|lane| lane.mailbox == attempt.mailbox);
    let is_same = || book.lane(reseller).is_some_and(|lane| lane.mailbox == attempt.mailbox);
    Reach {
        settings: own.is_some_and(|lane| attempt.revision == Some(lane.revision)),
        wait,
        asked: wait || (is_test && is_same()),
    }
}

fn end(book: &mut Book, reseller: &ResellerId, end: &AttemptEnd) -> Result<(), StoreError> {
    let key = (reseller.clone(), end.message, end.number.0);
    let (Some(attempt), Ok(message)) = (book.attempts.get(&key), book.message(reseller, end.message)) else {
        return Ok(());
    };
    let is_test = message.is_test;
    let reach = reach(book, reseller, attempt, is_test);
    let mailbox = attempt.mailbox.clone();
    let resolved = attempt.end.as_ref().map(|end| (end.time, end.outcome));
    if let Some(until) = end.asked_until() {
        mailbox_waits(book, reseller, &mailbox, reach.asked, until);
    }
    // The lane's holder counts it no more, and waits where it was asked to.
    if is_test {
        book.signal(reseller);
    }
    match resolved {
        None => resolve(book, &key, end, &reach),
        Some(_) if planted(Bug::OutcomeOverwritten) => resolve(book, &key, end, &reach),
        Some(_) if planted(Bug::LateAnswerThrownAway) => Ok(()),
        Some(before) if is_news(before, end) => tell_late(book, &key, end),
        Some(_) => Ok(()),
    }
}

/// What Microsoft asked of a mailbox is never shortened: the lane waits if it is its own, and knows it if its settings do not name it
/// any more, for they may again.
fn mailbox_waits(
    book: &mut Book,
    reseller: &ResellerId,
    mailbox: &EmailAddress,
    is_the_lanes: bool,
    until: Timestamp,
) {
    if is_the_lanes {
        lane_waits(book, reseller, until);
    }
    let Some(lane) = book.change_lane(reseller) else { return };
    if is_the_lanes {
        lane.asked_until = lane.asked_until.max(Some(until));
    } else if lane.mailbox != *mailbox {
        let asked = lane.asked_elsewhere.entry(mailbox.clone()).or_insert(until);
        *asked = until.max(*asked);
    }
}

/// A doubt tells nothing that a resolved attempt does not, nor does one who did not hear that it was written.
fn is_news(before: (Timestamp, Outcome), end: &AttemptEnd) -> bool {
    end.verdict.outcome != Outcome::InDoubt && before != (end.end_time, end.verdict.outcome)
}

/// Appended, nothing overwritten, but that a 202 is kept before any other.
fn tell_late(book: &mut Book, key: &AttemptKey, end: &AttemptEnd) -> Result<(), StoreError> {
    let outcome = end.verdict.outcome;
    let Some(attempt) = book.attempts.change(key) else { return Ok(()) };
    let is_kept =
        attempt.late.as_ref().is_none_or(|late| late.outcome != Outcome::Sent && outcome == Outcome::Sent);
    if is_kept {
        let graph_request_id = end.verdict.graph_request_id.clone();
        attempt.late = Some(LateRow { time: end.end_time, outcome, graph_request_id });
    }
    let (reseller, id, _) = key;
    if outcome == Outcome::Sent && book.message(reseller, *id)?.state != MessageState::Sent {
        let change = Change { to: MessageState::Sent, in_doubt: false, time: end.end_time };
        return book.moves(reseller, *id, change, end.verdict.finding.clone(), |_| {});
    }
    Ok(())
}

fn resolve(book: &mut Book, key: &AttemptKey, end: &AttemptEnd, reach: &Reach) -> Result<(), StoreError> {
    let (reseller, id, _) = key;
    let Some(attempt) = book.attempts.change(key) else { return Ok(()) };
    attempt.end = Some(EndRow::of(&end.verdict, end.end_time));
    let (mailbox, start, was_call) =
        (attempt.mailbox.clone(), attempt.start_time, attempt.call_deadline.is_some());
    if was_call && matches!(end.verdict.outcome, Outcome::Deferred | Outcome::Rejected) {
        let recipients = i64::from(book.message(reseller, *id)?.recipient_count);
        add_recipients(book, reseller, &mailbox, start, -recipients);
    }
    // Before the message is told of, which reads as HELD from then on.
    change_lane(book, reseller, end, reach);
    let finding = end.verdict.finding.clone();
    match becomes(book, reseller, end)? {
        Becomes::Unchanged => book.tell(reseller, *id),
        Becomes::Ended(to, in_doubt) => {
            let change = Change { to, in_doubt, time: end.end_time };
            book.moves(reseller, *id, change, finding, |_| {})
        }
        Becomes::Deferred { at, counts, in_doubt } => {
            let change = Change { to: MessageState::Deferred, in_doubt, time: end.end_time };
            book.moves(reseller, *id, change, finding, |row| {
                row.due_time = at.unwrap_or(row.due_time);
                row.backoffs += u32::from(counts);
            })
        }
    }
}

fn change_lane(book: &mut Book, reseller: &ResellerId, end: &AttemptEnd, reach: &Reach) {
    match &end.resolution {
        _ if end.verdict.outcome == Outcome::Sent && reach.settings => works(book, reseller),
        Resolution::LaneHeld(hold) if reach.settings => hold_lane(book, reseller, hold),
        Resolution::LaneWaits { until } if reach.wait => lane_waits(book, reseller, *until),
        _ => {}
    }
}

/// What becomes of the message.
enum Becomes {
    Unchanged,
    Ended(MessageState, bool),
    /// `at` absent: as it was due, before those that came after it.
    Deferred {
        at: Option<Timestamp>,
        counts: bool,
        in_doubt: bool,
    },
}

fn becomes(book: &Book, reseller: &ResellerId, end: &AttemptEnd) -> Result<Becomes, StoreError> {
    let row = book.message(reseller, end.message)?;
    let outcome = end.verdict.outcome;
    if row.state == MessageState::Sent || (row.state.is_end() && outcome != Outcome::Sent) {
        return Ok(Becomes::Unchanged);
    }
    if outcome == Outcome::Sent {
        return Ok(Becomes::Ended(MessageState::Sent, false));
    }
    let in_doubt = (row.in_doubt && !planted(Bug::DoubtForgotten)) || outcome == Outcome::InDoubt;
    let ended = |state| {
        // Nothing but a 202 is SENT, and a doubt is never hidden behind another end.
        let state =
            if in_doubt || state == MessageState::Sent { MessageState::OutcomeUnknown } else { state };
        Becomes::Ended(state, in_doubt)
    };
    Ok(match &end.resolution {
        Resolution::End(state) if state.is_end() => ended(*state),
        _ if row.is_test => ended(MessageState::Failed),
        Resolution::Again { at, counts } => Becomes::Deferred { at: Some(*at), counts: *counts, in_doubt },
        Resolution::LaneWaits { until } => Becomes::Deferred { at: Some(*until), counts: false, in_doubt },
        Resolution::LaneHeld(_) | Resolution::End(_) => {
            Becomes::Deferred { at: None, counts: false, in_doubt }
        }
    })
}

fn lane_waits(book: &mut Book, reseller: &ResellerId, until: Timestamp) {
    if let Some(lane) = book.change_lane(reseller) {
        lane.wait_until = lane.wait_until.max(Some(until));
    }
}

fn hold_lane(book: &mut Book, reseller: &ResellerId, hold: &Hold) {
    let Some(lane) = book.change_lane(reseller) else { return };
    let was = lane.stop().map(|finding| finding.code);
    lane.hold = Some(hold.clone());
    let is = lane.stop().map(|finding| finding.code);
    if was != is {
        book.tell_of_lane(reseller);
    }
}

/// The settings are READY, and the hold they caused is lifted.
pub(super) fn works(book: &mut Book, reseller: &ResellerId) {
    let Some(lane) = book.lane(reseller) else { return };
    if lane.works && lane.finding.is_none() && lane.hold.is_none() {
        return;
    }
    let was_held = lane.hold.is_some() && lane.pause.is_none();
    if let Some(lane) = book.change_lane(reseller) {
        lane.works = true;
        lane.finding = None;
        lane.hold = None;
    }
    if was_held {
        book.tell_of_lane(reseller);
    }
}
