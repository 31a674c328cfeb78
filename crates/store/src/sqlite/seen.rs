//! A message as its caller sees it: HELD, and when it is likely to be tried next, are derived here from its lane.
//!
//! Nothing is written to a lane's messages when it is held or freed. `read/list.sql` filters by the same rule.

use jiff::Timestamp;
use postrider_domain::{
    Attempt, AttemptNumber, Finding, FindingClass, FindingCode, Hold, Message, MessageState, Outcome,
    RequestId, ResellerId,
};
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;

use super::cells::{Cells, time};
use crate::StoreError;

/// What a waiting message shows of its lane.
#[derive(Debug, Default)]
pub(super) struct LaneSeen {
    pub hold: Option<Hold>,
    pub wait_until: Option<Timestamp>,
}

impl LaneSeen {
    pub(super) fn read(cells: Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self { hold: cells.hold()?, wait_until: cells.of("lanes").optional_time("wait_until")? })
    }

    /// The message with what its lane adds. `due` is when the message itself is to be tried.
    pub(super) fn applied_to(self, mut message: Message, due: Timestamp, now: Timestamp) -> Message {
        if !waits(message.state) {
            return message;
        }
        let probe_time = self.hold.as_ref().map(|hold| hold.probe_time);
        message.next_attempt_time = Some(due).max(self.wait_until).max(probe_time);
        if let Some(hold) = self.hold
            && (message.state != MessageState::Scheduled || due <= now)
        {
            message.state = MessageState::Held;
            message.next_attempt_time = None;
            message.finding = Some(hold.finding);
        }
        message
    }
}

/// Whether a message of this stored state is to be tried.
pub(super) fn waits(state: MessageState) -> bool {
    matches!(state, MessageState::Accepted | MessageState::Scheduled | MessageState::Deferred)
}

/// A row of `read/get.sql` or `read/list.sql`.
pub(super) fn message(row: &SqliteRow, reseller: &ResellerId, now: Timestamp) -> Result<Message, StoreError> {
    let cells = Cells::new(row, "messages", reseller.as_str());
    let message = Message {
        reseller: reseller.clone(),
        id: cells.message_id()?,
        request_id: cells.optional_parsed("request_id", |text| RequestId::parse(text).ok())?,
        state: cells.parsed("state", MessageState::parse)?,
        internet_message_id: cells.get("internet_message_id")?,
        create_time: cells.time("create_time")?,
        update_time: cells.time("update_time")?,
        send_time: cells.optional_time("send_time")?,
        expire_time: cells.time("expire_time")?,
        next_attempt_time: None,
        attempts: attempts(cells)?,
        finding: cells.finding()?,
        subject: cells.get("subject")?,
        recipient_count: cells.count("recipient_count")?,
        labels: cells.json("labels")?,
    };
    Ok(LaneSeen::read(cells)?.applied_to(message, cells.time("due_time")?, now))
}

/// An attempt as the JSON column of those two statements holds it.
#[derive(Deserialize)]
struct AttemptJson {
    number: u32,
    start_time: i64,
    end_time: Option<i64>,
    outcome: Option<String>,
    finding_code: Option<String>,
    finding_class: Option<String>,
    finding_evidence: Option<String>,
    graph_request_id: Option<String>,
    late_time: Option<i64>,
    late_outcome: Option<String>,
    late_graph_request_id: Option<String>,
}

fn attempts(cells: Cells<'_>) -> Result<Vec<Attempt>, StoreError> {
    let cells = cells.of("attempts");
    let stored: Vec<AttemptJson> = cells.json("attempts")?;
    stored.into_iter().map(|attempt| attempt.read().map_err(|column| cells.bad(column))).collect()
}

impl AttemptJson {
    /// Fails with the column that cannot be read.
    fn read(self) -> Result<Attempt, &'static str> {
        Ok(Attempt {
            number: AttemptNumber(self.number),
            start_time: time(self.start_time).ok_or("start_time")?,
            end_time: self.end_time.map(|end| time(end).ok_or("end_time")).transpose()?,
            outcome: self.outcome.as_deref().map(|o| Outcome::parse(o).ok_or("outcome")).transpose()?,
            finding: self.finding()?,
            graph_request_id: self.graph_request_id,
        })
    }

    fn finding(&self) -> Result<Option<Finding>, &'static str> {
        let Some(code) = &self.finding_code else {
            return Ok(None);
        };
        let code = FindingCode::parse(code).ok_or("finding_code")?;
        let class = self.finding_class.as_deref().and_then(FindingClass::parse).ok_or("finding_class")?;
        let evidence = self.finding_evidence.as_deref().unwrap_or("{}");
        let evidence = serde_json::from_str(evidence).map_err(|_| "finding_evidence")?;
        let mut finding = Finding { code, class, evidence };
        if let (Some(outcome), Some(micros)) = (&self.late_outcome, self.late_time) {
            finding =
                finding.with("late_outcome", outcome).with("late_time", time(micros).ok_or("late_time")?);
            if let Some(id) = &self.late_graph_request_id {
                finding = finding.with("late_graph_request_id", id);
            }
        }
        Ok(Some(finding))
    }
}
