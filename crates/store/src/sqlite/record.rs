//! Record: the attempt before its call, its outcome after it.
//!
//! Starting needs the live token. An outcome is written once, by whoever comes first; what comes later is appended. What
//! an attempt may still change of its lane is decided by how the lane is *now*: nothing under an old token, no hold and no
//! READY from settings that were replaced since it began.
//!
//! Rules
//! - SENT is a recorded 202 and nothing else. A 202 lifts any state to SENT, however late; nothing lowers SENT.
//! - An unresolved doubt ends as SENT or OUTCOME_UNKNOWN.
//! - A test mail touches no lane and is never tried again.
//! - A message that ends SENT or CANCELLED loses its content in the same write.

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptStart, FindingCode, Hold, LeaseToken, MessageState, Outcome, ResellerId, Resolution,
};
use sqlx::SqliteConnection;

use super::cells::{Cells, FindingCells, as_stored, token};
use super::failed;
use super::writer::Write;
use crate::StoreError;

const START: &str = sql!("record/start");
const LOOK_UP: &str = sql!("record/look_up");
const END: &str = sql!("record/end");
const LATE: &str = sql!("record/late");
const DEFER: &str = sql!("record/defer");
const FINISH: &str = sql!("record/finish");
const WAIT: &str = sql!("record/wait");
const HOLD: &str = sql!("record/hold");
const WORKS: &str = sql!("record/works");

pub(super) struct Start {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub attempt: AttemptStart,
}

impl Write for Start {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        self.insert(Some(self.attempt.call_deadline), db).await
    }
}

impl Start {
    async fn insert(
        &self,
        call_deadline: Option<Timestamp>,
        db: &mut SqliteConnection,
    ) -> Result<bool, StoreError> {
        let started = sqlx::query(START)
            .bind(self.reseller.as_str())
            .bind(token(&self.token))
            .bind(self.attempt.message.as_bytes().as_slice())
            .bind(self.attempt.number.0)
            .bind(self.attempt.start_time.as_microsecond())
            .bind(call_deadline.map(Timestamp::as_microsecond))
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(started.rows_affected() > 0)
    }
}

pub(super) struct Refuse {
    pub start: Start,
    pub end: AttemptEnd,
}

impl Write for Refuse {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        if !self.start.insert(None, db).await? {
            return Ok(false);
        }
        end(&self.start.reseller, &self.end, db).await?;
        Ok(true)
    }
}

pub(super) struct End {
    pub reseller: ResellerId,
    pub end: AttemptEnd,
}

impl Write for End {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        end(&self.reseller, &self.end, db).await
    }
}

/// What an outcome meets.
struct Met {
    /// Set: somebody resolved it before.
    resolved: Option<(Timestamp, Outcome)>,
    state: MessageState,
    in_doubt: bool,
    is_test: bool,
    reach: Reach,
}

/// What of its lane and settings an attempt may still change. Nothing, if it was started under a token that is not the
/// lane's now.
struct Reach {
    /// They are the settings it was made with: it tells whether they work.
    settings: bool,
    /// The same, and no operator's pause.
    hold: bool,
    /// It is the mailbox it was made for.
    wait: bool,
}

async fn end(reseller: &ResellerId, end: &AttemptEnd, db: &mut SqliteConnection) -> Result<(), StoreError> {
    let Some(met) = look_up(reseller, end, db).await? else {
        return Ok(());
    };
    if let Some(until) = asked_to_wait(end).filter(|_| met.reach.wait) {
        lane_waits(reseller, until, db).await?;
    }
    match met.resolved {
        None => resolve(reseller, end, &met, db).await,
        Some(before) if is_news(before, end) => tell_late(reseller, end, met.state, db).await,
        Some(_) => Ok(()),
    }
}

/// What Microsoft asked for, from when it was heard; never shortened.
fn asked_to_wait(end: &AttemptEnd) -> Option<Timestamp> {
    let asked = end.verdict.retry_after.filter(|asked| !asked.is_zero())?;
    Some(end.end_time.saturating_add(asked).unwrap_or(Timestamp::MAX))
}

/// A doubt tells nothing that a resolved attempt does not, nor does one who did not hear that it was written.
fn is_news(before: (Timestamp, Outcome), end: &AttemptEnd) -> bool {
    end.verdict.outcome != Outcome::InDoubt && before != (as_stored(end.end_time), end.verdict.outcome)
}

async fn tell_late(
    reseller: &ResellerId,
    end: &AttemptEnd,
    state: MessageState,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    append(reseller, end, db).await?;
    if end.verdict.outcome == Outcome::Sent && state != MessageState::Sent {
        finish(reseller, end, MessageState::Sent, false, db).await?;
    }
    Ok(())
}

async fn resolve(
    reseller: &ResellerId,
    end: &AttemptEnd,
    met: &Met,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    write_outcome(reseller, end, db).await?;
    match becomes(met, end) {
        Becomes::Unchanged => {}
        Becomes::Ended(state, in_doubt) => finish(reseller, end, state, in_doubt, db).await?,
        Becomes::Deferred { at, counts, in_doubt } => defer(reseller, end, at, counts, in_doubt, db).await?,
    }
    match &end.resolution {
        _ if end.verdict.outcome == Outcome::Sent && met.reach.settings => works(reseller, db).await?,
        Resolution::LaneHeld(hold) if met.reach.hold => {
            hold_lane(reseller, hold, db).await?;
        }
        Resolution::LaneWaits { until } if met.reach.wait => {
            lane_waits(reseller, *until, db).await?;
        }
        _ => {}
    }
    Ok(())
}

async fn look_up(
    reseller: &ResellerId,
    end: &AttemptEnd,
    db: &mut SqliteConnection,
) -> Result<Option<Met>, StoreError> {
    let row = sqlx::query(LOOK_UP)
        .bind(reseller.as_str())
        .bind(end.message.as_bytes().as_slice())
        .bind(end.number.0)
        .bind(end.end_time.as_microsecond())
        .fetch_optional(db)
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let owner = format!("{reseller}/{}/{}", end.message, end.number.0);
    let cells = Cells::new(&row, "attempts", &owner);
    let is_test: bool = cells.of("messages").get("is_test")?;
    let has_token = cells.get::<bool>("has_token")? && !is_test;
    let settings = has_token && cells.get::<Option<bool>>("same_settings")?.unwrap_or(false);
    let hold_code = cells.of("lanes").optional_parsed("hold_code", FindingCode::parse)?;
    Ok(Some(Met {
        resolved: cells.optional_time("end_time")?.zip(cells.optional_parsed("outcome", Outcome::parse)?),
        state: cells.of("messages").parsed("state", MessageState::parse)?,
        in_doubt: cells.of("messages").get("in_doubt")?,
        is_test,
        reach: Reach {
            settings,
            hold: settings && hold_code != Some(FindingCode::SendingPaused),
            wait: has_token && cells.get("same_mailbox")?,
        },
    }))
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

fn becomes(met: &Met, end: &AttemptEnd) -> Becomes {
    if end.verdict.outcome == Outcome::Sent {
        return if met.state == MessageState::Sent {
            Becomes::Unchanged
        } else {
            Becomes::Ended(MessageState::Sent, false)
        };
    }
    if met.state.is_end() {
        return Becomes::Unchanged;
    }
    let in_doubt = met.in_doubt || end.verdict.outcome == Outcome::InDoubt;
    let ended = |state| {
        // Nothing but a 202 is SENT, and a doubt is never hidden behind another end.
        let state =
            if in_doubt || state == MessageState::Sent { MessageState::OutcomeUnknown } else { state };
        Becomes::Ended(state, in_doubt)
    };
    match &end.resolution {
        Resolution::End(state) if state.is_end() => ended(*state),
        _ if met.is_test => ended(MessageState::Failed),
        Resolution::Again { at, counts } => Becomes::Deferred { at: Some(*at), counts: *counts, in_doubt },
        Resolution::LaneWaits { until } => Becomes::Deferred { at: Some(*until), counts: false, in_doubt },
        Resolution::LaneHeld(_) | Resolution::End(_) => {
            Becomes::Deferred { at: None, counts: false, in_doubt }
        }
    }
}

async fn write_outcome(
    reseller: &ResellerId,
    end: &AttemptEnd,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let finding = FindingCells::of(end.verdict.finding.as_ref());
    sqlx::query(END)
        .bind(reseller.as_str())
        .bind(end.message.as_bytes().as_slice())
        .bind(end.number.0)
        .bind(end.end_time.as_microsecond())
        .bind(end.verdict.outcome.as_str())
        .bind(finding.code)
        .bind(finding.class)
        .bind(finding.evidence)
        .bind(end.verdict.graph_request_id.as_deref())
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn append(
    reseller: &ResellerId,
    end: &AttemptEnd,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    sqlx::query(LATE)
        .bind(reseller.as_str())
        .bind(end.message.as_bytes().as_slice())
        .bind(end.number.0)
        .bind(end.end_time.as_microsecond())
        .bind(end.verdict.outcome.as_str())
        .bind(end.verdict.graph_request_id.as_deref())
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn finish(
    reseller: &ResellerId,
    end: &AttemptEnd,
    state: MessageState,
    in_doubt: bool,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let finding = FindingCells::of(end.verdict.finding.as_ref());
    sqlx::query(FINISH)
        .bind(reseller.as_str())
        .bind(end.message.as_bytes().as_slice())
        .bind(state.as_str())
        .bind(in_doubt)
        .bind(end.end_time.as_microsecond())
        .bind(finding.code)
        .bind(finding.class)
        .bind(finding.evidence)
        .bind(matches!(state, MessageState::Sent | MessageState::Cancelled))
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn defer(
    reseller: &ResellerId,
    end: &AttemptEnd,
    at: Option<Timestamp>,
    counts: bool,
    in_doubt: bool,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let finding = FindingCells::of(end.verdict.finding.as_ref());
    sqlx::query(DEFER)
        .bind(reseller.as_str())
        .bind(end.message.as_bytes().as_slice())
        .bind(at.map(Timestamp::as_microsecond))
        .bind(counts)
        .bind(in_doubt)
        .bind(end.end_time.as_microsecond())
        .bind(finding.code)
        .bind(finding.class)
        .bind(finding.evidence)
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn lane_waits(
    reseller: &ResellerId,
    until: Timestamp,
    db: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let query = sqlx::query(WAIT).bind(reseller.as_str()).bind(until.as_microsecond());
    query.execute(db).await.map_err(failed)?;
    Ok(())
}

async fn hold_lane(reseller: &ResellerId, hold: &Hold, db: &mut SqliteConnection) -> Result<(), StoreError> {
    let finding = FindingCells::of(Some(&hold.finding));
    sqlx::query(HOLD)
        .bind(reseller.as_str())
        .bind(finding.code)
        .bind(finding.class)
        .bind(finding.evidence)
        .bind(hold.probe_time.as_microsecond())
        .bind(hold.probes)
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The settings are READY, and the hold they caused is lifted.
pub(super) async fn works(reseller: &ResellerId, db: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(WORKS).bind(reseller.as_str()).execute(db).await.map_err(failed)?;
    Ok(())
}
