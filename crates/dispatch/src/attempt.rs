//! One try to hand a message to Microsoft: token → submit → classify → decide → record, in that order.
//!
//! Without a token nothing can leave, so that try is written down whole, in one write. With one, the attempt is
//! written down first, then the call is made, then its outcome is written, for as long as it takes.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Bug, Etag, Finding, FindingCode, Hold, Lane, LaneSignal,
    LeaseToken, OpenAttempt, Outcome, Queued, Resolution, TRACE, TokenRefusal, Verdict, limits, planted,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};
use uuid::Uuid;

use crate::breaker::{Pass, Told};
use crate::lease::Trust;
use crate::memory::Room;
use crate::pace::Turn;
use crate::ports::{PortError, Ports, Submission};
use crate::retry::decide;

/// Between tries to write an outcome down while the store is away: it is not given up.
const RECORD_AGAIN: Duration = Duration::from_millis(500);
/// When mail with more recipients than a day may have is looked at again: an operator may have raised the limit.
const SET_ASIDE: Duration = Duration::from_hours(24);

/// A place among the calls in flight.
pub(crate) type Place = OwnedSemaphorePermit;

/// A message that may be tried, from `now` on.
pub(crate) struct Chosen {
    pub queued: Queued,
    pub turn: Turn,
    pub room: Room,
    pub now: Timestamp,
}

/// What all attempts of a lane share.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub ports: Ports,
    pub lane: Lane,
    /// Of the settings that the lane knows.
    pub settings: Etag,
    pub token: LeaseToken,
    pub trust: Trust,
    pub call_timeout: Duration,
    /// What others did to the lane, as far as it was read.
    pub heard: LaneSignal,
    /// Counts the changes of settings that the lane has seen: a refusal of earlier settings says nothing of these.
    pub generation: u32,
    /// Told how an attempt ended before that is on disk: whoever reads it there has heard of it here.
    pub news: mpsc::UnboundedSender<Ended>,
}

/// How an attempt ended, for the lane.
#[derive(Clone)]
pub(crate) struct Ended {
    /// Whose answer it is: the settings may name another mailbox by now.
    pub lane: Lane,
    pub verdict: Verdict,
    pub asked_until: Option<Timestamp>,
    pub resolution: Resolution,
    pub generation: u32,
}

/// An attempt that was written down and may be submitted.
pub(crate) struct Started {
    queued: Queued,
    start: AttemptStart,
    submission: Submission,
    hold: Option<Hold>,
    turn: Turn,
    pass: Pass,
    _place: Place,
    span: Span,
}

pub(crate) enum Begun {
    Started(Box<Started>),
    /// Nothing left: no token, or nothing to send.
    Refused(Box<Ended>),
    /// The lease is lost, or settings, message or the lane are not as they were read: nothing was written.
    Stale,
    /// Microsoft answers nobody, so that nothing is tried.
    Denied,
}

impl Attempts {
    /// Token, then the attempt's row. A trace of its own: the mail may have waited for days.
    pub(crate) async fn begin(
        &self,
        chosen: Chosen,
        hold: Option<Hold>,
        place: Place,
        pass: Pass,
    ) -> Result<Begun, PortError> {
        let span = self.span(&chosen.queued, chosen.queued.attempts + 1);
        self.prepare(chosen, hold, place, pass).instrument(span).await
    }

    fn span(&self, queued: &Queued, number: u32) -> Span {
        info_span!(
            target: TRACE, parent: None, "attempt", otel.kind = "consumer", reseller = %self.lane.reseller,
            message_id = %queued.id, number, outcome = Empty, finding = Empty
        )
    }

    async fn prepare(
        &self,
        chosen: Chosen,
        hold: Option<Hold>,
        place: Place,
        pass: Pass,
    ) -> Result<Begun, PortError> {
        let Chosen { queued, mut turn, room, now } = chosen;
        let reseller = &self.lane.reseller;
        let grant =
            match self.ports.tokens.grant(reseller).instrument(info_span!(target: TRACE, "token")).await {
                Ok(grant) => grant,
                Err(refusal) => {
                    return self.refuse(&queued, hold.as_ref(), now, turn, no_token(refusal)).await;
                }
            };
        let Some(content) = self.ports.outbox.content(reseller, &queued.id).await? else {
            let finding = Finding::new(FindingCode::MessageInvalid).with("reason", "its content is gone");
            let verdict = Verdict::of(Outcome::Rejected, finding);
            return self.refuse(&queued, hold.as_ref(), now, turn, verdict).await;
        };
        let content = room.holds(content);
        // Token and content took their time: the call's begins here.
        let asked = self.ports.clock.now();
        let timeout = self.call_timeout + limits::upload_time(content.body.len());
        let start = AttemptStart {
            call_deadline: asked.saturating_add(timeout).unwrap_or(Timestamp::MAX),
            settings: Some(grant.settings.etag.clone()),
            ..self.start(&queued, now)
        };
        let started = self.ports.outbox.start_attempt(reseller, self.token, start.clone()).await;
        if !started.or_else(|away| if planted(Bug::CallWithoutAttempt) { Ok(true) } else { Err(away) })? {
            turn.was_not_used();
            return Ok(Begun::Stale);
        }
        let submission =
            Submission { grant, message: queued.id, content, client_request_id: Uuid::new_v4(), timeout };
        let started =
            Started { queued, start, submission, hold, turn, pass, _place: place, span: Span::current() };
        Ok(Begun::Started(Box::new(started)))
    }

    fn start(&self, queued: &Queued, now: Timestamp) -> AttemptStart {
        AttemptStart {
            message: queued.id,
            number: AttemptNumber(queued.attempts + 1),
            start_time: now,
            call_deadline: now,
            settings: Some(self.settings.clone()),
            heard: Some(self.heard),
        }
    }

    async fn refuse(
        &self,
        queued: &Queued,
        hold: Option<&Hold>,
        now: Timestamp,
        mut turn: Turn,
        verdict: Verdict,
    ) -> Result<Begun, PortError> {
        turn.was_not_used();
        let start = self.start(queued, now);
        let end = ended(queued, turn.lane_waits(), hold, &start, verdict, self.ports.clock.now());
        turn.ended(&end);
        let told = self.told(&end);
        if !self.ports.outbox.refuse_attempt(&self.lane.reseller, self.token, start, end).await? {
            return Ok(Begun::Stale);
        }
        self.log(queued, &told);
        Ok(Begun::Refused(Box::new(told)))
    }

    /// For mail with more recipients than a day may have: it says so, and waits without holding up the others.
    /// `false`: nothing was written.
    pub(crate) async fn set_aside(
        &self,
        queued: &Queued,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let finding = Finding::new(FindingCode::DailyLimit)
            .with("recipients", queued.recipient_count)
            .with("recipients_per_day", most);
        let verdict = Verdict::of(Outcome::Deferred, finding);
        let start = self.start(queued, now);
        let again =
            Resolution::Again { at: now.saturating_add(SET_ASIDE).unwrap_or(Timestamp::MAX), counts: false };
        let end = AttemptEnd {
            message: queued.id,
            number: start.number,
            end_time: self.ports.clock.now(),
            verdict,
            resolution: again,
        };
        self.ports.outbox.refuse_attempt(&self.lane.reseller, self.token, start, end).await
    }

    /// The call, and its outcome on disk.
    pub(crate) async fn finish(self, started: Started, may_try_another_token: bool) -> Turn {
        let span = started.span.clone();
        self.submit(started, may_try_another_token).instrument(span).await
    }

    async fn submit(self, started: Started, may_try_another_token: bool) -> Turn {
        let Started { queued, start, mut submission, hold, mut turn, pass, _place, .. } = started;
        let grant = submission.grant.clone();
        let begins = self.ports.clock.now();
        submission.timeout = remaining(begins, start.call_deadline);
        let (verdict, told) = match self.too_late(&start, begins) {
            None => {
                turn.begins(begins);
                let mut verdict = self.ports.microsoft.submit(submission).await;
                if planted(Bug::RetryAfterHalved) {
                    verdict.retry_after = verdict.retry_after.map(|asked| asked / 2);
                }
                let told = told_by(&verdict);
                (verdict, told)
            }
            Some(reason) => {
                turn.was_not_used();
                let finding = Finding::new(FindingCode::NotStarted).with("reason", reason);
                (Verdict::of(Outcome::Deferred, finding), Told::Nothing)
            }
        };
        let now = self.ports.clock.now();
        pass.ended(told, &self.lane.reseller, now);
        if matches!(verdict.outcome, Outcome::Deferred | Outcome::Rejected) {
            turn.was_not_taken();
        }
        let mut end = ended(&queued, turn.lane_waits(), hold.as_ref(), &start, verdict, now);
        if end.verdict.token_refused && may_try_another_token {
            end.resolution = Resolution::Again { at: now, counts: false };
        }
        turn.ended(&end);
        // What an administrator grants later is in no token issued before.
        if end.verdict.token_refused || matches!(end.resolution, Resolution::LaneHeld(_)) {
            self.ports.tokens.forget(&grant).await;
        }
        self.end(&queued, end).await;
        turn
    }

    /// Looked at last thing before the first byte: after the lease another holder may have the lane, and whoever counts
    /// the pace by what is written down takes a call to have begun soon after its start.
    fn too_late(&self, start: &AttemptStart, now: Timestamp) -> Option<&'static str> {
        let begins_by = start.start_time.saturating_add(limits::CALL_BEGINS_WITHIN).unwrap_or(Timestamp::MAX);
        if now > begins_by && !planted(Bug::BeginsLate) {
            Some("writing the attempt down took too long")
        } else if self.trust.holds() {
            None
        } else {
            Some("the lease ran out before the call")
        }
    }

    /// For an attempt that was written down when the lane stopped: nothing of it left. The lane holds its message back.
    pub(crate) async fn withdraw(&self, started: Started, finding: Finding) {
        let Started { queued, start, mut turn, pass, span, .. } = started;
        turn.was_not_used();
        let end_time = self.ports.clock.now();
        pass.ended(Told::Nothing, &self.lane.reseller, end_time);
        let finding = finding.with("reason", "not started: the mailbox was stopped meanwhile");
        let verdict = Verdict::of(Outcome::Deferred, finding);
        let resolution = Resolution::Again { at: end_time, counts: false };
        let end = AttemptEnd { message: queued.id, number: start.number, end_time, verdict, resolution };
        self.end(&queued, end).instrument(span).await;
    }

    /// Resolves a call of an earlier holder, whose answer nobody will hear.
    pub(crate) async fn resolve_open(&self, open: &OpenAttempt, hold: Option<&Hold>) {
        let finding = Finding::new(FindingCode::OutcomeUnknown)
            .with("reason", "the process that made the call ended before the answer was written down");
        let start = AttemptStart {
            message: open.queued.id,
            number: open.number,
            start_time: open.call_deadline,
            call_deadline: open.call_deadline,
            settings: None,
            heard: None,
        };
        let outcome = if planted(Bug::SilentResend) { Outcome::Deferred } else { Outcome::InDoubt };
        let verdict = Verdict::of(outcome, finding);
        // A doubt makes no lane wait.
        let end = ended(&open.queued, 0, hold, &start, verdict, self.ports.clock.now());
        self.end(&open.queued, end).instrument(self.span(&open.queued, open.number.0)).await;
    }

    /// Tells the lane, and writes it down for as long as that takes.
    async fn end(&self, queued: &Queued, end: AttemptEnd) {
        let ended = self.told(&end);
        // A lane that is gone has nothing to stop.
        drop(self.news.send(ended.clone()));
        self.record(end).instrument(info_span!(target: TRACE, "record")).await;
        self.log(queued, &ended);
    }

    fn told(&self, end: &AttemptEnd) -> Ended {
        let (verdict, resolution) = (end.verdict.clone(), end.resolution.clone());
        let (lane, asked_until) = (self.lane.clone(), end.asked_until());
        Ended { lane, verdict, asked_until, resolution, generation: self.generation }
    }

    async fn record(&self, end: AttemptEnd) {
        while self.ports.outbox.end_attempt(&self.lane.reseller, end.clone()).await.is_err() {
            if planted(Bug::RecordGivenUp) {
                return;
            }
            tokio::time::sleep(RECORD_AGAIN).await;
        }
    }

    fn log(&self, queued: &Queued, ended: &Ended) {
        let finding = ended.verdict.finding.as_ref().map_or("", |finding| finding.code.as_str());
        Span::current().record("outcome", ended.verdict.outcome.as_str()).record("finding", finding);
        tracing::info!(
            event = "attempt_ended", reseller = %self.lane.reseller, message_id = %queued.id,
            outcome = ended.verdict.outcome.as_str(), finding, "attempt ended"
        );
    }
}

/// What an answer tells of the service itself: a doubt is a call that it did not answer.
fn told_by(verdict: &Verdict) -> Told {
    let tells_of_an_outage = |code| {
        matches!(
            code,
            FindingCode::MicrosoftUnavailable | FindingCode::NetworkUnreachable | FindingCode::OutcomeUnknown
        )
    };
    let is_outage = verdict.finding.as_ref().is_some_and(|finding| tells_of_an_outage(finding.code));
    if is_outage { Told::Outage } else { Told::Answered }
}

fn ended(
    queued: &Queued,
    lane_waits: u32,
    hold: Option<&Hold>,
    start: &AttemptStart,
    verdict: Verdict,
    now: Timestamp,
) -> AttemptEnd {
    let resolution = decide(&verdict, queued, lane_waits, hold, now);
    AttemptEnd { message: queued.id, number: start.number, end_time: now, verdict, resolution }
}

/// Zero when it is over.
pub(crate) fn remaining(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

fn no_token(refusal: TokenRefusal) -> Verdict {
    Verdict { retry_after: refusal.retry_after, ..Verdict::of(Outcome::Deferred, *refusal.finding) }
}
