//! Reads of messages, lanes, keys and credentials.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    Attempt, Cloud, Content, EmailAddress, Finding, FindingClass, FindingCode, InDoubtPolicy, Lane, Message,
    MessageId, MessageState, Outcome, Pause, Priority, Queued, RequestId, ResellerId, Settings, Usage,
    limits,
};
use serde::Deserialize;

use super::{Cells, Reader, Row, Statement, Value, census, json, rows, values, watch};
use crate::book::{AttemptKey, AttemptRow, EndRow, LateRow, MessageKey, RequestKey};
use crate::census::{Backlog, FirstExpiry, LaneState};
use crate::reads::{DueLane, OldEvent, PassOver, Read, Reads, long_before};
use crate::seen::{Front, LaneSeen, Outlook, Place};
use crate::watch::{Event, KeptEvents, Position};
use crate::{
    AccessKey, AuditFilter, AuditPage, ContentHash, KeyId, MessageFilter, MessagePage, Queue, SealedRecord,
    SettingsFilter, SettingsPage, StoreError, WrappedKey,
};

static MESSAGE: Statement = statement!(each dialect "read/message");
static MESSAGES: Statement = statement!(each dialect "read/messages").of_a_page();
static FRONT: Statement = statement!("read/front").of_a_page();
static CONTENT: Statement = statement!("read/content");
static REQUEST_KEY: Statement = statement!("read/request_key");
static DUE_LANES: Statement = statement!(each dialect "read/due_lanes");
static NEXT_DUE: Statement = statement!(each dialect "read/next_due");
static NEXT_QUEUED: Statement = statement!(each dialect "read/next_queued");
static ACCESS_KEY: Statement = statement!("read/access_key");
static ACCESS_KEYS: Statement = statement!("read/access_keys");
static ANY_ACCESS_KEY: Statement = statement!("read/any_access_key");
static DATA_KEY: Statement = statement!("read/data_key");
static DATA_KEYS: Statement = statement!("read/data_keys");
static AUDIT_EVENTS: Statement = statement!("read/audit_events").of_a_page();
static AUDIT_EVENTS_OF: Statement = statement!(each dialect "read/audit_events_of").of_a_page();
static SEALED: Statement = statement!("read/sealed");
static SEALED_PAGE: Statement = statement!("read/sealed_page");
static KEY_RING: Statement = statement!("read/key_ring");
static DUE_CHANGES: Statement = statement!("read/due_changes");
static QUEUED: Statement = statement!("read/queued");
static OVER_CONTENTS: Statement = statement!("read/over_contents");
static OVER_HISTORY: Statement = statement!("read/over_history");
static OVER_REQUEST_KEYS: Statement = statement!("read/over_request_keys");
static OLDEST_EVENTS: Statement = statement!("read/oldest_events");
static ABANDONED: Statement = statement!(each dialect "read/abandoned");

#[async_trait]
impl<R: Reader> Reads for R {
    async fn message(&self, reseller: &ResellerId, id: MessageId, outlook: Outlook) -> Read<Option<Message>> {
        let found = self.read(&MESSAGE, values![reseller, id, outlook.now, limits::PLACES_COUNTED]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let ahead = Cells::new(row, "messages", reseller.as_str()).count("ahead")?;
        message(row, reseller, ahead, outlook).map(Some)
    }

    async fn messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
        outlook: Outlook,
    ) -> Read<MessagePage> {
        let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
        let states = Some(json(&states)).filter(|_| !filter.states.is_empty());
        let limit = i64::from(filter.limit) + 1;
        let wanted = values![reseller, filter.before, states, json(&filter.labels), limit, outlook.now];
        let found = self.read(&MESSAGES, wanted).await?;
        let (page, more) = page(&found, filter.limit);
        let places = page.iter().map(|row| place(row, reseller)).collect::<Result<Vec<_>, _>>()?;
        let front = front(self, reseller, &places, outlook.now).await?;
        let messages = page.iter().zip(places).map(|(row, place)| {
            let ahead = place.map_or(0, |place| front.ahead(place, outlook.now));
            message(row, reseller, ahead, outlook)
        });
        Ok(MessagePage { messages: messages.collect::<Result<_, _>>()?, more })
    }

    async fn content(&self, reseller: &ResellerId, id: MessageId) -> Read<Option<Content>> {
        let found = self.read(&CONTENT, values![reseller, id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let cells = Cells::new(row, "messages", reseller.as_str());
        Ok(Some(Content {
            body: cells.of("contents").get::<Vec<u8>>("body")?.into(),
            internet_message_id: cells.get("internet_message_id")?,
            create_time: cells.time("create_time")?,
        }))
    }

    async fn request_key(
        &self,
        reseller: &ResellerId,
        id: &RequestId,
    ) -> Read<Option<(MessageId, ContentHash)>> {
        let found = self.read(&REQUEST_KEY, values![reseller, id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let cells = Cells::new(row, "request_keys", reseller.as_str());
        Ok(Some((cells.message_id()?, ContentHash(cells.bytes("content_hash")?))))
    }

    async fn due_lanes(&self, now: Timestamp, limit: u32, pass_over: PassOver) -> Read<Vec<DueLane>> {
        let [resellers, clouds] = passed_over(&pass_over);
        let found = self.read(&DUE_LANES, values![now, limit, resellers, clouds]).await?;
        Ok(found.iter().map(due_lane).collect())
    }

    async fn next_due(&self, pass_over: PassOver) -> Read<Option<Timestamp>> {
        let [resellers, clouds] = passed_over(&pass_over);
        let found = self.read(&NEXT_DUE, values![resellers, clouds]).await?;
        let next = found.first().map(|row| Cells::new(row, "resellers", "all").optional_time("next_due"));
        next.transpose().map(Option::flatten)
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Read<Vec<Queued>> {
        let found = self.read(&NEXT_QUEUED, values![reseller, now, limit, content_below]).await?;
        found.iter().map(|row| queued(Cells::new(row, "messages", reseller.as_str()))).collect()
    }

    async fn settings(&self, reseller: &ResellerId) -> Read<Option<Settings>> {
        super::read_settings::settings(self, reseller).await
    }

    async fn settings_page(&self, filter: SettingsFilter) -> Read<SettingsPage> {
        super::read_settings::page(self, filter).await
    }

    async fn usage(&self, reseller: &ResellerId, first_hour: i64) -> Read<Usage> {
        super::read_settings::usage(self, reseller, first_hour).await
    }

    async fn access_key(&self, id: &KeyId) -> Read<Option<AccessKey>> {
        let found = self.read(&ACCESS_KEY, values![id.as_str()]).await?;
        found.first().map(rows::access_key).transpose()
    }

    async fn access_keys(&self) -> Read<Vec<AccessKey>> {
        self.read(&ACCESS_KEYS, Vec::new()).await?.iter().map(rows::access_key).collect()
    }

    async fn data_key(&self, reseller: &ResellerId) -> Read<Option<WrappedKey>> {
        let found = self.read(&DATA_KEY, values![reseller]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let key = Cells::new(row, "resellers", reseller.as_str()).get::<Option<Vec<u8>>>("data_key")?;
        Ok(key.map(WrappedKey::of_bytes))
    }

    async fn data_keys(&self, after: &str, limit: u32) -> Read<Vec<(ResellerId, WrappedKey)>> {
        let found = self.read(&DATA_KEYS, values![after, limit]).await?;
        let key = |row: &Row| {
            let reseller = rows::owner(row, "resellers")?;
            let key = Cells::new(row, "resellers", reseller.as_str()).get("data_key")?;
            Ok((reseller, WrappedKey::of_bytes(key)))
        };
        found.iter().map(key).collect()
    }

    async fn audit_events(&self, filter: AuditFilter) -> Read<AuditPage> {
        let AuditFilter { resellers, since, before, limit } = filter;
        let mut wanted = values![since, before.time, before.reseller, before.number, i64::from(limit) + 1];
        let found = match resellers {
            Some(resellers) => {
                let resellers: Vec<_> = resellers.iter().map(ResellerId::as_str).collect();
                wanted.splice(0..0, values![json(&resellers)]);
                self.read(&AUDIT_EVENTS_OF, wanted).await?
            }
            None => self.read(&AUDIT_EVENTS, wanted).await?,
        };
        let (page, more) = page(&found, limit);
        Ok(AuditPage { events: page.iter().map(rows::audit_event).collect::<Result<_, _>>()?, more })
    }

    async fn any_access_key(&self) -> Read<bool> {
        let found = self.read(&ANY_ACCESS_KEY, Vec::new()).await?;
        found.first().map_or(Ok(false), |row| Cells::new(row, "access_keys", "all").flag("any_key"))
    }

    async fn sealed(&self, reseller: &ResellerId, version: &str) -> Read<Option<SealedRecord>> {
        let found = self.read(&SEALED, values![reseller, version]).await?;
        found.first().map(|row| rows::sealed(row).map(|(_, record)| record)).transpose()
    }

    async fn sealed_page(&self, after: (&str, &str), limit: u32) -> Read<Vec<(ResellerId, SealedRecord)>> {
        let found = self.read(&SEALED_PAGE, values![after.0, after.1, limit]).await?;
        found.iter().map(rows::sealed).collect()
    }

    async fn key_ring(&self) -> Read<Option<String>> {
        let found = self.read(&KEY_RING, values![]).await?;
        found.first().map(|row| Cells::new(row, "meta", "key_ring").get("value")).transpose()
    }

    async fn due_changes(&self, before: Timestamp, limit: u32) -> Read<Vec<(ResellerId, Timestamp)>> {
        let found = self.read(&DUE_CHANGES, values![before, long_before(before), limit]).await?;
        let due = |row| {
            let reseller = rows::owner(row, "credential_changes")?;
            let time = Cells::new(row, "credential_changes", reseller.as_str()).time("change_time")?;
            Ok((reseller, time))
        };
        found.iter().map(due).collect()
    }

    async fn events(&self, reseller: &ResellerId, after: i64, limit: u32) -> Read<Vec<Event>> {
        watch::events(self, reseller, after, limit).await
    }

    async fn all_events(&self, after: &Position, limit: u32) -> Read<Vec<Event>> {
        watch::all_events(self, after, limit).await
    }

    async fn waited(&self, of_lane: &Event, after: Option<MessageId>, limit: u32) -> Read<Vec<Message>> {
        watch::waited(self, of_lane, after, limit).await
    }

    async fn kept_events(&self, reseller: &ResellerId) -> Read<KeptEvents> {
        watch::kept_events(self, reseller).await
    }

    async fn last_position(&self) -> Read<i64> {
        watch::last_position(self).await
    }

    async fn purged_position(&self) -> Read<i64> {
        watch::purged_position(self).await
    }

    async fn epoch(&self) -> Read<Option<String>> {
        watch::epoch(self).await
    }

    async fn queued(&self) -> Read<Queue> {
        let found = self.read(&QUEUED, Vec::new()).await?;
        let Some(row) = found.first() else { return Ok(Queue::default()) };
        let cells = Cells::new(row, "resellers", "all");
        Ok(Queue { messages: cells.get("messages")?, bytes: cells.get("bytes")? })
    }

    async fn backlog(&self, by_reseller: bool, now: Timestamp) -> Read<Vec<Backlog>> {
        census::backlog(self, by_reseller, now).await
    }

    async fn lanes(&self, now: Timestamp) -> Read<Vec<(LaneState, i64)>> {
        census::lanes(self, now).await
    }

    async fn first_expiries(&self, by_reseller: bool) -> Read<Vec<FirstExpiry>> {
        census::first_expiries(self, by_reseller).await
    }

    async fn over_contents(&self, now: Timestamp, limit: u32) -> Read<Vec<MessageKey>> {
        self.read(&OVER_CONTENTS, values![now, limit]).await?.iter().map(message_key).collect()
    }

    async fn over_history(&self, ended_until: Timestamp, limit: u32) -> Read<Vec<MessageKey>> {
        self.read(&OVER_HISTORY, values![ended_until, limit]).await?.iter().map(message_key).collect()
    }

    async fn over_request_keys(&self, now: Timestamp, limit: u32) -> Read<Vec<(RequestKey, Timestamp)>> {
        let key = |row: &Row| {
            let reseller = rows::owner(row, "request_keys")?;
            let cells = Cells::new(row, "request_keys", reseller.as_str());
            let request_id = cells.parsed("request_id", |text| RequestId::parse(text).ok())?;
            let end = cells.time("expire_time")?;
            Ok(((reseller, request_id), end))
        };
        self.read(&OVER_REQUEST_KEYS, values![now, limit]).await?.iter().map(key).collect()
    }

    /// The oldest come first, so that none is looked at that stays.
    async fn over_events(&self, kept_since: Timestamp, limit: u32) -> Read<Vec<OldEvent>> {
        let mut old = Vec::new();
        for row in self.read(&OLDEST_EVENTS, values![limit]).await? {
            let reseller = rows::owner(&row, "events")?;
            let cells = Cells::new(&row, "events", reseller.as_str());
            if cells.time("time")? >= kept_since {
                break;
            }
            let (number, position) = (cells.get("number")?, cells.get("position")?);
            old.push(OldEvent { reseller, number, position });
        }
        Ok(old)
    }

    async fn abandoned(&self, now: Timestamp, limit: u32) -> Read<Vec<AttemptKey>> {
        let key = |row: &Row| {
            let (reseller, id) = message_key(row)?;
            let number = Cells::new(row, "attempts", reseller.as_str()).count("number")?;
            Ok((reseller, id, number))
        };
        self.read(&ABANDONED, values![now, limit]).await?.iter().map(key).collect()
    }
}

/// The rows of a page, and whether there are more: one more than asked for was read.
pub(super) fn page(rows: &[Row], limit: u32) -> (&[Row], bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    (&rows[..rows.len().min(limit)], rows.len() > limit)
}

fn passed_over(pass_over: &PassOver) -> [Value; 2] {
    let clouds: Vec<_> = pass_over.clouds.iter().copied().map(Cloud::as_str).collect();
    [json(&pass_over.resellers).into(), json(&clouds).into()]
}

fn due_lane(row: &Row) -> DueLane {
    let name = Cells::new(row, "resellers", "a due row").get::<String>("reseller").unwrap_or_default();
    let lane = || {
        let reseller = rows::owner(row, "resellers")?;
        let cells = Cells::new(row, "resellers", reseller.as_str());
        let mailbox = cells.parsed("mailbox", |text| EmailAddress::parse(text).ok())?;
        Ok(Lane { reseller, mailbox })
    };
    lane().map_err(|error| (name, error))
}

fn message_key(row: &Row) -> Result<MessageKey, StoreError> {
    let reseller = rows::owner(row, "messages")?;
    let id = Cells::new(row, "messages", reseller.as_str()).message_id()?;
    Ok((reseller, id))
}

fn queued(cells: Cells<'_>) -> Result<Queued, StoreError> {
    Ok(Queued {
        id: cells.message_id()?,
        priority: priority(cells)?,
        attempts: cells.count("attempts")?,
        backoffs: cells.count("backoffs")?,
        in_doubt: cells.flag("in_doubt")?,
        policy: cells.parsed("policy", InDoubtPolicy::parse)?,
        due_time: cells.time("due_time")?,
        expire_time: cells.time("expire_time")?,
        recipient_count: cells.count("recipient_count")?,
        content_bytes: cells.count("content_bytes")?,
    })
}

/// Where the message of a row stands, if it waits.
fn place(row: &Row, reseller: &ResellerId) -> Result<Option<Place>, StoreError> {
    let cells = Cells::new(row, "messages", reseller.as_str());
    if !cells.parsed("state", MessageState::parse)?.waits() {
        return Ok(None);
    }
    Ok(Some(Place { priority: priority(cells)?, due: cells.time("due_time")?, id: cells.message_id()? }))
}

/// What may go before those of a page: read once for all of them.
async fn front(
    reader: &impl Reader,
    reseller: &ResellerId,
    places: &[Option<Place>],
    now: Timestamp,
) -> Result<Front, StoreError> {
    let mut front = Front::default();
    let waiting = || places.iter().flatten();
    let Some(until) = waiting().map(|place| place.until(now)).max() else { return Ok(front) };
    let last = waiting().map(|place| place.priority.rank()).max();
    for priority in Priority::ALL.into_iter().filter(|priority| Some(priority.rank()) <= last) {
        let wanted = values![reseller, u32::from(priority.rank()), until, limits::PLACES_COUNTED];
        for row in reader.read(&FRONT, wanted).await? {
            let cells = Cells::new(&row, "messages", reseller.as_str());
            front.of(priority).push((cells.time("due_time")?, cells.message_id()?));
        }
    }
    Ok(front)
}

fn priority(cells: Cells<'_>) -> Result<Priority, StoreError> {
    Priority::of_rank(cells.get("priority")?).ok_or_else(|| cells.bad("priority"))
}

/// A row with a message and its lane, and how many go before it.
fn message(row: &Row, reseller: &ResellerId, ahead: u32, outlook: Outlook) -> Result<Message, StoreError> {
    let cells = Cells::new(row, "messages", reseller.as_str());
    let message = stored_message(cells, reseller)?;
    let due = cells.time("due_time")?;
    let lowered = cells.of("resellers").optional_count("pace_messages_per_minute")?;
    let lane = lane_seen(cells)?.behind(ahead, lowered, outlook);
    let seen = lane.shows(message.state, due, message.finding.as_ref(), outlook.now);
    Ok(Message {
        state: seen.state,
        next_attempt_time: seen.next_attempt_time,
        finding: seen.finding,
        ..message
    })
}

/// A message as it is stored.
pub(super) fn stored_message(cells: Cells<'_>, reseller: &ResellerId) -> Result<Message, StoreError> {
    Ok(Message {
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
    })
}

pub(super) fn lane_seen(cells: Cells<'_>) -> Result<LaneSeen, StoreError> {
    let hold = cells.hold()?;
    let lane = cells.of("resellers");
    let pause = match lane.optional_time("pause_time")? {
        Some(time) => Some(Pause { reason: lane.get("pause_reason")?, time }),
        None => None,
    };
    let probe_time = hold.as_ref().map(|hold| hold.probe_time);
    Ok(LaneSeen {
        stop: pause.as_ref().map(Pause::finding).or(hold.map(|hold| hold.finding)),
        not_before: lane.optional_time("wait_until")?.max(lane.optional_time("pace_until")?).max(probe_time),
    })
}

/// An attempt as the JSON column of those statements holds it.
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
        let time = |micros: i64| Timestamp::from_microsecond(micros).ok();
        let finding = self.finding()?;
        let end = match self.end_time {
            Some(end) => Some(EndRow {
                time: time(end).ok_or("end_time")?,
                outcome: self.outcome.as_deref().and_then(Outcome::parse).ok_or("outcome")?,
                finding,
                graph_request_id: self.graph_request_id,
            }),
            None => None,
        };
        let late = match (self.late_time, self.late_outcome) {
            (Some(late), Some(outcome)) => Some(LateRow {
                time: time(late).ok_or("late_time")?,
                outcome: Outcome::parse(&outcome).ok_or("late_outcome")?,
                graph_request_id: self.late_graph_request_id,
            }),
            _ => None,
        };
        let start_time = time(self.start_time).ok_or("start_time")?;
        Ok(AttemptRow::shown_as(self.number, start_time, end, late))
    }

    fn finding(&self) -> Result<Option<Finding>, &'static str> {
        let Some(code) = &self.finding_code else {
            return Ok(None);
        };
        let code = FindingCode::parse(code).ok_or("finding_code")?;
        let class = self.finding_class.as_deref().and_then(FindingClass::parse).ok_or("finding_class")?;
        let evidence = self.finding_evidence.as_deref().unwrap_or("{}");
        let evidence = serde_json::from_str(evidence).map_err(|_| "finding_evidence")?;
        Ok(Some(Finding { code, class, evidence }))
    }
}
