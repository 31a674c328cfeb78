//! Message traces: what became of each mail for each recipient. For this a directory needs
//! `ExchangeMessageTrace.Read.All`, which shows all of its mail.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::read::read_query;
use super::{Answered, finished};
use crate::answer::{GraphCall, Refusal};
use crate::bearer::{self, Bearer};
use crate::directory::Known;
use crate::message::Stored;
use crate::shared::{Shared, SharedState};
use crate::{clock, limits};

/// What `$filter` may ask for, and how.
const TEXTS: [&str; 7] = ["id", "messageId", "recipientAddress", "senderAddress", "status", "fromIP", "toIP"];

pub(super) async fn list(State(shared): SharedState, headers: HeaderMap, uri: Uri) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    finished(&call, traces(&shared, &call, &headers, &uri))
}

fn traces(shared: &Shared, call: &GraphCall, headers: &HeaderMap, uri: &Uri) -> Answered {
    let known = authorize(shared, call, headers)?;
    let query = read_query(uri.query().unwrap_or_default());
    let wanted = query.get("$filter").map(|filter| conditions(filter)).transpose()?.unwrap_or_default();
    let top = query.get("$top").and_then(|top| top.parse::<usize>().ok()).unwrap_or(limits::TRACE_ROWS);
    let skip = query.get("$skiptoken").and_then(|skip| skip.parse::<usize>().ok()).unwrap_or_default();
    let top = top.clamp(1, limits::TRACE_ROWS_MAX);
    let all = rows(shared, &known, call.now).into_iter().filter(|row| wanted.iter().all(|one| one.fits(row)));
    let mut page: Vec<Value> = all.skip(skip).take(top + 1).collect();
    let mut body = json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces",
    });
    if page.len() > top {
        page.truncate(top);
        let origin = shared.origin(headers);
        body["@odata.nextLink"] = json!(format!(
            "{origin}/v1.0/admin/exchange/tracing/messageTraces?$top={top}&$skiptoken={}",
            skip + top
        ));
    }
    body["value"] = json!(page);
    Ok(Json(body).into_response())
}

pub(super) async fn details(
    State(shared): SharedState,
    Path((id, function)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    finished(&call, events(&shared, &call, &headers, (&id, &function)))
}

/// `getDetailsByRecipient(recipientAddress='…')`.
fn events(shared: &Shared, call: &GraphCall, headers: &HeaderMap, (id, function): (&str, &str)) -> Answered {
    let known = authorize(shared, call, headers)?;
    let recipient = function
        .strip_prefix("getDetailsByRecipient(recipientAddress='")
        .and_then(|rest| rest.strip_suffix("')"))
        .ok_or_else(|| Refusal::bad_request("BadRequest", "Resource not found for the segment."))?;
    let found = own(shared, &known).into_iter().find(|stored| trace_id(stored).to_string() == id);
    let stored = found.filter(|stored| stored.mail.recipients.iter().any(|one| one == recipient));
    let stored =
        stored.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "ErrorItemNotFound", "No such trace."))?;
    let mail = &stored.mail;
    let event = |time: Timestamp, event: &str, description: &str| json!({"date": time.to_string(), "event": event, "action": "", "description": description, "data": ""});
    let mut events = vec![event(mail.time, "Submit", "The message was submitted.")];
    if let Some(bounce) =
        mail.delivery.bounced(call.now).filter(|bounce| bounce.recipients.iter().any(|one| one == recipient))
    {
        events.push(event(
            mail.delivery.time,
            "Fail",
            &format!("Reason: [{{LED=550 {} {}}}]", bounce.status, bounce.text),
        ));
    } else if mail.delivery.time <= call.now {
        events.push(event(mail.delivery.time, "Send external", "Message sent to its recipient's server."));
    }
    let body = json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(microsoft.graph.exchangeMessageTraceDetail)",
        "value": events,
    });
    Ok(Json(body).into_response())
}

fn authorize(shared: &Shared, call: &GraphCall, headers: &HeaderMap) -> Result<Arc<Known>, Refusal> {
    let Bearer { claims, known } = bearer::authorize(headers, &shared.directories, call.now)?;
    if claims.roles.is_empty() {
        return Err(bearer::no_permissions());
    }
    if !claims.has_any(&["ExchangeMessageTrace.Read.All"]) {
        let message = "Insufficient privileges to complete the operation.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message));
    }
    shared.traced.ask(known.tenant_id, call.now).map_err(|seconds| {
        let message = "Too many requests for message traces.";
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Refusal { retry_after: Some(seconds.to_string()), ..refusal }
    })?;
    Ok(known)
}

fn own(shared: &Shared, known: &Known) -> Vec<Stored> {
    let all = shared.mails.all().into_iter();
    all.filter(|stored| known.mailbox(&stored.mail.mailbox).is_some()).collect()
}

/// One for each recipient, the newest first.
fn rows(shared: &Shared, known: &Known, now: Timestamp) -> Vec<Value> {
    let of = |stored: Stored| {
        let id = trace_id(&stored).to_string();
        let mail = stored.mail;
        let row = |recipient: &String| {
            json!({
                "id": id,
                "senderAddress": mail.mailbox,
                "recipientAddress": recipient,
                "messageId": mail.internet_message_id,
                "receivedDateTime": mail.time.to_string(),
                "subject": mail.subject,
                "size": mail.raw.len(),
                "fromIP": "192.0.2.1",
                "toIP": "",
                "status": mail.delivery.state(recipient, now).name(),
            })
        };
        mail.recipients.iter().map(row).collect::<Vec<_>>()
    };
    own(shared, known).into_iter().rev().flat_map(of).collect()
}

fn trace_id(stored: &Stored) -> Uuid {
    Uuid::from_u64_pair(0x5a4d_0b0c_0000_4000, 0x8000_0000_0000_0000 | stored.number)
}

/// One comparison of `$filter`.
struct Condition {
    name: String,
    operator: String,
    value: String,
}

/// `or` is read as `and`, as Microsoft does; of two comparisons of one property the last holds.
fn conditions(filter: &str) -> Result<Vec<Condition>, Refusal> {
    let invalid = || Refusal::bad_request("BadRequest", "Invalid filter clause.");
    let mut found: Vec<Condition> = Vec::new();
    for clause in filter.split(" and ").flat_map(|clause| clause.split(" or ")) {
        let mut words = clause.trim().trim_matches(['(', ')']).splitn(3, ' ');
        let (Some(name), Some(operator), Some(value)) = (words.next(), words.next(), words.next()) else {
            return Err(invalid());
        };
        let is_time = name == "receivedDateTime" && ["ge", "le"].contains(&operator);
        let is_text = TEXTS.contains(&name) && operator == "eq";
        if !is_time && !is_text {
            return Err(invalid());
        }
        found.retain(|one| one.name != name || one.operator != operator);
        let value = value.trim().trim_matches('\'').to_owned();
        found.push(Condition { name: name.to_owned(), operator: operator.to_owned(), value });
    }
    Ok(found)
}

impl Condition {
    fn fits(&self, row: &Value) -> bool {
        let own = row[self.name.as_str()].as_str().unwrap_or_default();
        if self.name != "receivedDateTime" {
            return own.eq_ignore_ascii_case(&self.value);
        }
        let (Ok(own), Ok(bound)) = (own.parse::<Timestamp>(), self.value.parse::<Timestamp>()) else {
            return false;
        };
        if self.operator == "ge" { bound <= own } else { own <= bound }
    }
}
