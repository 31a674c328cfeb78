//! One try to hand a message to Microsoft: token → submit → classify → decide → record, in that order.
//!
//! Without a token nothing can leave, so that try is written down whole, in one write. With one, the attempt is
//! written down first, then the call is made, then its outcome is written, for as long as it takes.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Finding, FindingCode, Hold, Lane, LeaseToken, MessageState,
    OpenAttempt, Outcome, Queued, Resolution, TokenRefusal, Verdict, limits,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::lease::Trust;
use crate::pace::Turn;
use crate::ports::{PortError, Ports, Submission};
use crate::retry::decide;

/// Between tries to write an outcome down while the store is away: it is not given up.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// What all attempts of a lane share.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub ports: Ports,
    pub lane: Lane,
    pub token: LeaseToken,
    pub trust: Trust,
    pub call_timeout: Duration,
    /// Counts the changes of settings that the lane has seen: a refusal of earlier settings says nothing of these.
    pub generation: u32,
    /// Told how an attempt ended before that is on disk: whoever reads it there has heard of it here.
    pub news: mpsc::UnboundedSender<Ended>,
}

/// How an attempt ended, for the lane.
#[derive(Clone)]
pub(crate) struct Ended {
    pub verdict: Verdict,
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
}

pub(crate) enum Begun {
    Started(Box<Started>),
    /// Nothing left: no token, or nothing to send.
    Refused(Ended),
    /// The lease is lost, or somebody ended the message: nothing was written.
    Skipped,
}

impl Attempts {
    /// Token, then the attempt's row. `turn` began at `now`.
    pub(crate) async fn begin(
        &self,
        queued: Queued,
        hold: Option<Hold>,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Begun, PortError> {
        let number = AttemptNumber(queued.attempts + 1);
        let start = |now: Timestamp, asked: Timestamp, timeout: Duration| AttemptStart {
            message: queued.id,
            number,
            start_time: now,
            call_deadline: asked.saturating_add(timeout).unwrap_or(Timestamp::MAX),
        };
        let timeout = self.call_timeout;
        let reseller = &self.lane.reseller;
        let grant = match self.ports.tokens.grant(reseller).await {
            Ok(grant) => grant,
            Err(refusal) => {
                return self
                    .refuse(&queued, hold.as_ref(), start(now, now, timeout), no_token(refusal))
                    .await;
            }
        };
        let Some(content) = self.ports.outbox.content(reseller, &queued.id).await? else {
            let finding = Finding::new(FindingCode::MessageInvalid).with("reason", "its content is gone");
            let verdict = Verdict::of(Outcome::Rejected, finding);
            return self.refuse(&queued, hold.as_ref(), start(now, now, timeout), verdict).await;
        };
        // Token and content took their time: the call's begins here.
        let timeout = timeout + limits::upload_time(content.body.len());
        let start = start(now, self.ports.clock.now(), timeout);
        if !self.ports.outbox.start_attempt(reseller, self.token, start.clone()).await? {
            return Ok(Begun::Skipped);
        }
        let submission =
            Submission { grant, message: queued.id, content, client_request_id: Uuid::new_v4(), timeout };
        Ok(Begun::Started(Box::new(Started { queued, start, submission, hold, turn })))
    }

    async fn refuse(
        &self,
        queued: &Queued,
        hold: Option<&Hold>,
        start: AttemptStart,
        verdict: Verdict,
    ) -> Result<Begun, PortError> {
        let now = self.ports.clock.now();
        let end = ended(queued, hold, &start, verdict, now);
        let told = self.told(&end);
        let written = self.ports.outbox.refuse_attempt(&self.lane.reseller, self.token, start, end).await?;
        if !written {
            return Ok(Begun::Skipped);
        }
        self.tell(queued, hold, &told);
        Ok(Begun::Refused(told))
    }

    /// The call, and its outcome on disk.
    pub(crate) async fn finish(self, started: Started, may_try_another_token: bool) -> Turn {
        let Started { queued, start, mut submission, hold, turn } = started;
        let grant = submission.grant.clone();
        submission.timeout = remaining(self.ports.clock.now(), start.call_deadline);
        // After this moment another holder may have the lane.
        let verdict = if self.trust.holds() {
            self.ports.microsoft.submit(submission).await
        } else {
            let finding = Finding::new(FindingCode::NetworkUnreachable)
                .with("reason", "the lease ran out before the call");
            Verdict::of(Outcome::Deferred, finding)
        };
        let now = self.ports.clock.now();
        let mut end = ended(&queued, hold.as_ref(), &start, verdict, now);
        if end.verdict.token_refused && may_try_another_token {
            end.resolution = Resolution::Again { at: now, counts: false };
        }
        // What an administrator grants later is in no token issued before.
        if end.verdict.token_refused || matches!(end.resolution, Resolution::LaneHeld(_)) {
            self.ports.tokens.forget(&grant).await;
        }
        self.end(&queued, hold.as_ref(), end).await;
        turn
    }

    /// For an attempt that was written down when the lane stopped: nothing of it left. The lane holds its message back.
    pub(crate) async fn withdraw(&self, started: Started, finding: Finding) {
        let Started { queued, start, hold, .. } = started;
        let finding = finding.with("reason", "not started: the mailbox was stopped meanwhile");
        let (end_time, verdict) = (self.ports.clock.now(), Verdict::of(Outcome::Deferred, finding));
        let resolution = Resolution::Again { at: end_time, counts: false };
        let end = AttemptEnd { message: queued.id, number: start.number, end_time, verdict, resolution };
        self.end(&queued, hold.as_ref(), end).await;
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
        };
        let verdict = Verdict::of(Outcome::InDoubt, finding);
        let end = ended(&open.queued, hold, &start, verdict, self.ports.clock.now());
        self.end(&open.queued, hold, end).await;
    }

    /// Tells the lane, writes it down for as long as that takes, and tells those who wait.
    async fn end(&self, queued: &Queued, hold: Option<&Hold>, end: AttemptEnd) {
        let ended = self.told(&end);
        // A lane that is gone has nothing to stop.
        drop(self.news.send(ended.clone()));
        self.record(end).await;
        self.tell(queued, hold, &ended);
    }

    fn told(&self, end: &AttemptEnd) -> Ended {
        let (verdict, resolution) = (end.verdict.clone(), end.resolution.clone());
        Ended { verdict, resolution, generation: self.generation }
    }

    async fn record(&self, end: AttemptEnd) {
        while self.ports.outbox.end_attempt(&self.lane.reseller, end.clone()).await.is_err() {
            tokio::time::sleep(RECORD_AGAIN).await;
        }
    }

    fn tell(&self, queued: &Queued, hold: Option<&Hold>, ended: &Ended) {
        let finding = ended.verdict.finding.as_ref().map_or("", |finding| finding.code.as_str());
        tracing::info!(
            reseller = %self.lane.reseller, message_id = %queued.id,
            outcome = ended.verdict.outcome.as_str(), finding, "attempt ended"
        );
        let lifted = hold.is_some() && ended.resolution == Resolution::End(MessageState::Sent);
        if lifted || matches!(ended.resolution, Resolution::LaneHeld(_)) {
            self.ports.observer.lane_changed(&self.lane.reseller);
        }
        self.ports.observer.message_changed(&self.lane.reseller, &queued.id);
    }
}

fn ended(
    queued: &Queued,
    hold: Option<&Hold>,
    start: &AttemptStart,
    verdict: Verdict,
    now: Timestamp,
) -> AttemptEnd {
    let resolution = decide(&verdict, queued, hold, now);
    AttemptEnd { message: queued.id, number: start.number, end_time: now, verdict, resolution }
}

/// Zero when it is over.
pub(crate) fn remaining(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

fn no_token(refusal: TokenRefusal) -> Verdict {
    Verdict { retry_after: refusal.retry_after, ..Verdict::of(Outcome::Deferred, *refusal.finding) }
}
