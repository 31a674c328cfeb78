//! Reads of events: a message as it was is its row, with the event's state and as many attempts as there were.

use jiff::Timestamp;
use postrider_domain::{Finding, FindingClass, FindingCode, Message, MessageId, MessageState, ResellerId};

use super::read::{lane_seen, stored_message};
use super::{Cells, Reader, Row, Statement, rows, values};
use crate::StoreError;
use crate::watch::{Change, Event, KeptEvents, Position, Waited};

static EVENTS: Statement = statement!(each dialect "read/events");
static ALL_EVENTS: Statement = statement!(each dialect "read/all_events");
static WAITED: Statement = statement!(each dialect "read/waited");
static KEPT_EVENTS: Statement = statement!("read/kept_events");
static LAST_POSITION: Statement = statement!(each dialect "read/last_position");
static PURGED_POSITION: Statement = statement!("read/purged_position");
static EPOCH: Statement = statement!("read/epoch");

pub(super) async fn events(
    reader: &impl Reader,
    reseller: &ResellerId,
    after: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    reader.read(&EVENTS, values![reseller, after, limit]).await?.iter().map(event).collect()
}

pub(super) async fn all_events(
    reader: &impl Reader,
    after: &Position,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let wanted = values![after.order, after.reseller.as_str(), after.number, limit];
    reader.read(&ALL_EVENTS, wanted).await?.iter().map(event).collect()
}

pub(super) async fn waited(
    reader: &impl Reader,
    of_lane: &Event,
    after: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let reseller = &of_lane.reseller;
    let wanted = values![reseller, of_lane.number, after, limit];
    let told = |row: &Row| {
        let cells = Cells::new(row, "messages", reseller.as_str());
        let waits = cells.get::<i32>("waits")? == 1;
        let next_attempt_time = Some(cells.time("due_time")?).max(lane_seen(cells)?.not_before);
        let waited = Waited {
            state: cells.parsed("waited_as", MessageState::parse)?,
            attempts: cells.count("waited_attempts")?,
            next_attempt_time: next_attempt_time.filter(|_| waits),
        };
        Ok(of_lane.tells_of(stored_message(cells, reseller)?, waited))
    };
    reader.read(&WAITED, wanted).await?.iter().map(told).collect()
}

pub(super) async fn kept_events(
    reader: &impl Reader,
    reseller: &ResellerId,
) -> Result<KeptEvents, StoreError> {
    let found = reader.read(&KEPT_EVENTS, values![reseller]).await?;
    let Some(row) = found.first() else { return Ok(KeptEvents { first: None, last: 0 }) };
    let cells = Cells::new(row, "events", reseller.as_str());
    Ok(KeptEvents { first: cells.get("first_event")?, last: cells.get("last_event")? })
}

pub(super) async fn last_position(reader: &impl Reader) -> Result<i64, StoreError> {
    let found = reader.read(&LAST_POSITION, Vec::new()).await?;
    found.first().map_or(Ok(0), |row| Cells::new(row, "events", "all").get("position"))
}

pub(super) async fn purged_position(reader: &impl Reader) -> Result<i64, StoreError> {
    let found = reader.read(&PURGED_POSITION, Vec::new()).await?;
    let parse = |text: &str| text.parse::<i64>().ok();
    found.first().map_or(Ok(0), |row| Cells::new(row, "meta", "events_purged").parsed("value", parse))
}

pub(super) async fn epoch(reader: &impl Reader) -> Result<Option<String>, StoreError> {
    let found = reader.read(&EPOCH, Vec::new()).await?;
    found.first().map(|row| Cells::new(row, "meta", "epoch").get("value")).transpose()
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let reseller = rows::owner(row, "events")?;
    let cells = Cells::new(row, "events", reseller.as_str());
    let state = cells.parsed("event_state", MessageState::parse)?;
    let finding = finding(cells)?;
    let time = cells.time("event_time")?;
    let change = if cells.get::<Option<&[u8]>>("event_message")?.is_none() {
        Change::Lane { state, finding }
    } else if cells.get::<Option<&[u8]>>("message_id")?.is_none() {
        Change::Message(None)
    } else {
        let next_attempt_time = cells.optional_time("next_attempt_time")?;
        let message = Message { state, finding, next_attempt_time, ..as_it_was(cells, &reseller, time)? };
        Change::Message(Some(Box::new(message)))
    };
    Ok(Event { number: cells.get("number")?, order: cells.get("position")?, time, change, reseller })
}

fn as_it_was(cells: Cells<'_>, reseller: &ResellerId, time: Timestamp) -> Result<Message, StoreError> {
    let mut message = stored_message(cells.of("messages"), reseller)?;
    let attempts = cells.count("event_attempts")?;
    message.attempts.retain(|attempt| attempt.number.0 <= attempts);
    if cells.flag("in_flight")?
        && let Some(last) = message.attempts.last_mut()
    {
        (last.end_time, last.outcome, last.finding, last.graph_request_id) = (None, None, None, None);
    }
    message.update_time = time;
    Ok(message)
}

fn finding(cells: Cells<'_>) -> Result<Option<Finding>, StoreError> {
    let Some(code) = cells.optional_parsed("event_finding_code", FindingCode::parse)? else {
        return Ok(None);
    };
    let class = cells.parsed("event_finding_class", FindingClass::parse)?;
    Ok(Some(Finding { code, class, evidence: cells.json("event_finding_evidence")? }))
}
