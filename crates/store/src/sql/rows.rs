//! Columns to the rows of a book.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_domain::{
    AuditEvent, ChainHash, Cloud, EmailAddress, InDoubtPolicy, LaneSignal, LeaseToken, MessageId,
    MessageState, Outcome, Pause, Priority, RequestId, ResellerId,
};

use super::{Cells, Row};
use crate::book::{
    AttemptRow, ChainRow, EndRow, LaneRow, LateRow, LeaseRow, MessageRow, PacedRow, RequestKeyRow,
    ResellerRow, SourceKey,
};
use crate::{AccessKey, ContentHash, KeyHash, KeyId, Scope, SealedRecord, StoreError, WrappedKey};

pub(super) fn owner(row: &Row, table: &'static str) -> Result<ResellerId, StoreError> {
    Cells::new(row, table, "a row").parsed("reseller", |text| ResellerId::parse(text).ok())
}

pub(super) fn mailbox(cells: Cells<'_>) -> Result<EmailAddress, StoreError> {
    cells.parsed("mailbox", |text| EmailAddress::parse(text).ok())
}

pub(super) fn reseller(row: &Row, reseller: &ResellerId) -> Result<ResellerRow, StoreError> {
    let cells = Cells::new(row, "resellers", reseller.as_str());
    Ok(ResellerRow { lane: lane(cells)?, ..reseller_without_lane(row, reseller)? })
}

/// What outlives the lane.
pub(super) fn reseller_without_lane(row: &Row, reseller: &ResellerId) -> Result<ResellerRow, StoreError> {
    let cells = Cells::new(row, "resellers", reseller.as_str());
    Ok(ResellerRow {
        last_revision: cells.get("last_revision")?,
        last_event: cells.get("last_event")?,
        queued_messages: cells.get("queued_messages")?,
        queued_bytes: cells.get("queued_bytes")?,
        signal: LaneSignal(cells.get("signal")?),
        data_key: cells.get::<Option<Vec<u8>>>("data_key")?.map(WrappedKey::of_bytes),
        lane: None,
    })
}

/// `None`: the reseller has no settings.
pub(super) fn lane(cells: Cells<'_>) -> Result<Option<LaneRow>, StoreError> {
    let Some(revision) = cells.get::<Option<i64>>("revision")? else { return Ok(None) };
    let token = cells.get::<Option<&[u8]>>("lease_token")?;
    let lease = match (token, cells.optional_time("lease_until")?) {
        (Some(token), Some(until)) => {
            let bits = token.try_into().map_err(|_| cells.bad("lease_token"))?;
            Some(LeaseRow { token: LeaseToken::of_random(bits), until })
        }
        _ => None,
    };
    let pause = match cells.optional_time("pause_time")? {
        Some(time) => Some(Pause { reason: cells.get("pause_reason")?, time }),
        None => None,
    };
    let paced = match (cells.optional_time("pace_until")?, cells.optional_time("pace_look_time")?) {
        (Some(until), Some(look_time)) => Some(PacedRow { until, look_time }),
        _ => None,
    };
    Ok(Some(LaneRow {
        revision,
        mailbox: mailbox(cells)?,
        cloud: cells.parsed("cloud", Cloud::parse)?,
        pace: cells.pace()?,
        works: cells.flag("works")?,
        finding: cells.finding()?,
        pause,
        hold: cells.hold()?,
        wait_until: cells.optional_time("wait_until")?,
        asked_until: cells.optional_time("asked_until")?,
        asked_elsewhere: asked_elsewhere(cells)?,
        paced,
        due_time: cells.optional_time("due_time")?,
        lease,
    }))
}

fn asked_elsewhere(cells: Cells<'_>) -> Result<BTreeMap<EmailAddress, Timestamp>, StoreError> {
    const COLUMN: &str = "asked_elsewhere";
    if cells.get::<Option<&str>>(COLUMN)?.is_none() {
        return Ok(BTreeMap::new());
    }
    let asked = cells.json::<BTreeMap<String, i64>>(COLUMN)?.into_iter();
    let read = asked.map(|(mailbox, until)| {
        Some((EmailAddress::parse(&mailbox).ok()?, Timestamp::from_microsecond(until).ok()?))
    });
    read.collect::<Option<_>>().ok_or_else(|| cells.bad(COLUMN))
}

pub(super) fn message(row: &Row) -> Result<((ResellerId, MessageId), MessageRow), StoreError> {
    let reseller = owner(row, "messages")?;
    let cells = Cells::new(row, "messages", reseller.as_str());
    let found = MessageRow {
        is_test: cells.flag("is_test")?,
        priority: Priority::of_rank(cells.get("priority")?).ok_or_else(|| cells.bad("priority"))?,
        policy: cells.parsed("policy", InDoubtPolicy::parse)?,
        create_time: cells.time("create_time")?,
        content_bytes: cells.get("content_bytes")?,
        recipient_count: cells.count("recipient_count")?,
        request_id: cells.optional_parsed("request_id", |text| RequestId::parse(text).ok())?,
        state: cells.parsed("state", MessageState::parse)?,
        due_time: cells.time("due_time")?,
        expire_time: cells.time("expire_time")?,
        update_time: cells.time("update_time")?,
        end_time: cells.optional_time("end_time")?,
        purge_time: cells.optional_time("purge_time")?,
        has_content: cells.flag("has_content")?,
        attempts: cells.count("attempts")?,
        backoffs: cells.count("backoffs")?,
        in_doubt: cells.flag("in_doubt")?,
        last_event: cells.get("last_event")?,
        finding: cells.finding()?,
    };
    let id = cells.message_id()?;
    Ok(((reseller, id), found))
}

pub(super) fn attempt(row: &Row) -> Result<((ResellerId, MessageId, u32), AttemptRow), StoreError> {
    let reseller = owner(row, "attempts")?;
    let cells = Cells::new(row, "attempts", reseller.as_str());
    let token = cells.get::<Option<&[u8]>>("lease_token")?;
    let token = token.map(|bits| bits.try_into().map_err(|_| cells.bad("lease_token"))).transpose()?;
    let found = AttemptRow {
        mailbox: mailbox(cells)?,
        token: token.map(LeaseToken::of_random),
        revision: cells.get("settings_revision")?,
        start_time: cells.time("start_time")?,
        call_deadline: cells.optional_time("call_deadline")?,
        end: end(cells)?,
        late: late(cells)?,
    };
    let key = (cells.message_id()?, cells.count("number")?);
    Ok(((reseller, key.0, key.1), found))
}

fn end(cells: Cells<'_>) -> Result<Option<EndRow>, StoreError> {
    let Some(time) = cells.optional_time("end_time")? else { return Ok(None) };
    Ok(Some(EndRow {
        time,
        outcome: cells.parsed("outcome", Outcome::parse)?,
        finding: cells.finding()?,
        graph_request_id: cells.get("graph_request_id")?,
    }))
}

fn late(cells: Cells<'_>) -> Result<Option<LateRow>, StoreError> {
    let Some(time) = cells.optional_time("late_time")? else { return Ok(None) };
    Ok(Some(LateRow {
        time,
        outcome: cells.parsed("late_outcome", Outcome::parse)?,
        graph_request_id: cells.get("late_graph_request_id")?,
    }))
}

pub(super) fn sealed(row: &Row) -> Result<(ResellerId, SealedRecord), StoreError> {
    let reseller = owner(row, "sealed_credentials")?;
    let cells = Cells::new(row, "sealed_credentials", reseller.as_str());
    let record = SealedRecord {
        version: cells.get("version")?,
        ciphertext: cells.get("ciphertext")?,
        create_time: cells.time("create_time")?,
    };
    Ok((reseller, record))
}

pub(super) fn source(row: &Row) -> Result<(SourceKey, ResellerId, String), StoreError> {
    let reseller = owner(row, "settings")?;
    let cells = Cells::new(row, "settings", reseller.as_str());
    let key = (cells.get("client")?, cells.get("credential_fingerprint")?);
    let directory = cells.get("directory")?;
    Ok((key, reseller, directory))
}

pub(super) fn request_key(row: &Row) -> Result<((ResellerId, RequestId), RequestKeyRow), StoreError> {
    let reseller = owner(row, "request_keys")?;
    let cells = Cells::new(row, "request_keys", reseller.as_str());
    let request_id = cells.parsed("request_id", |text| RequestId::parse(text).ok())?;
    let found = RequestKeyRow {
        message: cells.message_id()?,
        content_hash: ContentHash(cells.bytes("content_hash")?),
        create_time: cells.time("create_time")?,
    };
    Ok(((reseller, request_id), found))
}

/// Whose an audit chain is; `None`: nobody's.
fn audited(row: &Row, table: &'static str) -> Result<Option<ResellerId>, StoreError> {
    let slug: &str = Cells::new(row, table, "a row").get("reseller")?;
    if slug.is_empty() { Ok(None) } else { owner(row, table).map(Some) }
}

pub(super) fn chain(row: &Row) -> Result<(Option<ResellerId>, ChainRow), StoreError> {
    let reseller = audited(row, "audit_chains")?;
    let cells = Cells::new(row, "audit_chains", reseller.as_ref().map_or("nobody", ResellerId::as_str));
    let end = ChainRow {
        number: cells.get("last_number")?,
        time: cells.time("last_time")?,
        hash: ChainHash(cells.bytes("last_hash")?),
    };
    Ok((reseller, end))
}

pub(super) fn audit_event(row: &Row) -> Result<AuditEvent, StoreError> {
    let reseller = audited(row, "audit_events")?;
    let cells = Cells::new(row, "audit_events", reseller.as_ref().map_or("nobody", ResellerId::as_str));
    Ok(AuditEvent {
        number: cells.get("number")?,
        time: cells.time("time")?,
        actor: cells.get("actor")?,
        action: cells.get("action")?,
        source_address: cells.get("source_address")?,
        details: cells.json("details")?,
        previous_hash: ChainHash(cells.bytes("previous_hash")?),
        hash: ChainHash(cells.bytes("hash")?),
        reseller: reseller.clone(),
    })
}

pub(super) fn access_key(row: &Row) -> Result<AccessKey, StoreError> {
    let id: String = Cells::new(row, "access_keys", "a row").get("key_id")?;
    let cells = Cells::new(row, "access_keys", &id);
    let scopes: Vec<String> = cells.json("scopes")?;
    let scopes: Option<_> = scopes.iter().map(|name| Scope::parse(name)).collect();
    let resellers: Vec<String> = cells.json("resellers")?;
    let resellers: Result<_, _> = resellers.iter().map(|slug| ResellerId::parse(slug)).collect();
    Ok(AccessKey {
        id: KeyId::of_text(id.clone()),
        name: cells.get("name")?,
        hash: KeyHash(cells.bytes("hash")?),
        scopes: scopes.ok_or_else(|| cells.bad("scopes"))?,
        resellers: resellers.map_err(|_| cells.bad("resellers"))?,
        create_time: cells.time("create_time")?,
        expire_time: cells.optional_time("expire_time")?,
        last_use_time: cells.optional_time("last_use_time")?,
        revoke_time: cells.optional_time("revoke_time")?,
    })
}
