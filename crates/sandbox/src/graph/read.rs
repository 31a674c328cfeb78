//! Reading back: drafts, Sent Items, the Inbox with its non-delivery reports, and the user itself.

use std::collections::HashMap;

use axum::Json;
use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::gate::{self, Needs};
use super::send::gone;
use super::{Answered, Incoming, representation};
use crate::answer::{GraphCall, Refusal};
use crate::bearer::{self, Bearer};
use crate::limits;
use crate::shared::Shared;
use crate::token::object_id;

pub(super) async fn list(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    folder: Option<&str>,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::Read, incoming).await?;
    let mailbox = entered.mailbox().ok_or_else(gone)?;
    let query = read_query(&entered.query);
    let wanted = query.get("$filter").map(|filter| message_id(filter)).transpose()?;
    let top = query.get("$top").and_then(|top| top.parse().ok()).unwrap_or(limits::MESSAGES_LISTED);
    let all = match folder {
        None => [
            drafts(shared, &mailbox.address),
            sent(shared, &mailbox.address),
            inbox(shared, call, &mailbox.address),
        ]
        .concat(),
        Some("drafts") => drafts(shared, &mailbox.address),
        Some("sentitems") => sent(shared, &mailbox.address),
        Some("inbox") => inbox(shared, call, &mailbox.address),
        Some(_) => return Err(not_found().into()),
    };
    let is_wanted =
        |message: &Value| wanted.as_ref().is_none_or(|id| message["internetMessageId"] == id.as_str());
    let select = query.get("$select").map(String::as_str);
    let found: Vec<Value> = all
        .into_iter()
        .filter(is_wanted)
        .take(top.min(limits::MESSAGES_LISTED_MAX))
        .map(|message| representation::selected(message, select))
        .collect();
    Ok(Json(json!({"@odata.context": context("messages"), "value": found})).into_response())
}

pub(super) async fn get(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::Read, incoming).await?;
    let mailbox = &entered.mailbox().ok_or_else(gone)?.address;
    let query = read_query(&entered.query);
    let all = [drafts(shared, mailbox), sent(shared, mailbox), inbox(shared, call, mailbox)].concat();
    let found = all.into_iter().find(|message| message["id"] == id).ok_or_else(not_found)?;
    Ok(Json(representation::selected(found, query.get("$select").map(String::as_str))).into_response())
}

pub(super) async fn attachments(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::Read, incoming).await?;
    let mailbox = &entered.mailbox().ok_or_else(gone)?.address;
    let draft = shared.drafts.get(mailbox, id)?;
    let files: Vec<Value> = draft.files.iter().map(representation::of_file).collect();
    Ok(Json(json!({"@odata.context": context("attachments"), "value": files})).into_response())
}

/// With `Mail.Send` alone nobody is told whether a user exists.
pub(super) fn user(shared: &Shared, call: &GraphCall, address: &str, incoming: &Incoming) -> Answered {
    let Bearer { claims, known } = bearer::authorize(&incoming.headers, &shared.directories, call.now)?;
    if !claims.has_any(&["User.Read.All", "User.ReadBasic.All", "Directory.Read.All"]) {
        let message = "Insufficient privileges to complete the operation.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message).into());
    }
    let mailbox = known.mailbox(address).ok_or_else(|| {
        let message = format!(
            "Resource '{address}' does not exist or one of its queried reference-property objects are not present."
        );
        Refusal::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    })?;
    let user = json!({
        "@odata.context": context("users"),
        "id": object_id(known.tenant_id, &mailbox.address),
        "displayName": mailbox.address.split('@').next(),
        "mail": mailbox.licensed.then_some(&mailbox.address),
        "userPrincipalName": mailbox.address,
    });
    Ok(Json(user).into_response())
}

fn drafts(shared: &Shared, mailbox: &str) -> Vec<Value> {
    shared.drafts.of(mailbox).iter().map(representation::of_draft).collect()
}

fn sent(shared: &Shared, mailbox: &str) -> Vec<Value> {
    let own = shared.mails.of(mailbox).into_iter().rev().filter(|stored| stored.mail.is_saved);
    own.map(|stored| representation::of_sent(&stored)).collect()
}

fn inbox(shared: &Shared, call: &GraphCall, mailbox: &str) -> Vec<Value> {
    let own = shared.mails.of(mailbox).into_iter().rev();
    own.filter_map(|stored| {
        stored.mail.delivery.bounced(call.now).map(|bounce| representation::of_report(&stored, bounce))
    })
    .collect()
}

/// `internetMessageId eq '…'`, the only filter here.
fn message_id(filter: &str) -> Result<String, Refusal> {
    let quoted = filter.trim().strip_prefix("internetMessageId eq ").map(str::trim);
    let id = quoted.and_then(|quoted| quoted.strip_prefix('\'')?.strip_suffix('\''));
    id.map(|id| id.replace("''", "'")).ok_or_else(|| {
        Refusal::bad_request(
            "ErrorInvalidUrlQueryFilter",
            "The query filter contains one or more invalid nodes.",
        )
    })
}

pub(super) fn read_query(query: &str) -> HashMap<String, String> {
    let uri = Uri::builder().path_and_query(format!("/?{query}")).build().unwrap_or_default();
    Query::try_from_uri(&uri).map(|Query(query)| query).unwrap_or_default()
}

fn context(what: &str) -> String {
    format!("https://graph.microsoft.com/v1.0/$metadata#users/{what}")
}

fn not_found() -> Refusal {
    let message = "The specified object was not found in the store.";
    Refusal::new(StatusCode::NOT_FOUND, "ErrorItemNotFound", message)
}
