//! `BatchSendMail`: each mail by itself, or all in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use postrider_domain::{Message, Violations, limits};
use postrider_proto::v1::{self, batch_send_mail_result};
use postrider_store::{Accepted, AllAccepted, NewMessage};

use crate::accept::{Prepared, accept, prepare};
use crate::app::App;
use crate::call::Authorised;
use crate::convert::to_proto;
use crate::status::{CallId, Refusal};

/// A message, and whether an earlier call made it.
type Sent = Result<(Message, bool), Refusal>;

pub(super) async fn batch_send_mail(
    app: Arc<App>,
    call: Authorised<v1::BatchSendMailRequest>,
) -> Result<v1::BatchSendMailResponse, Refusal> {
    let Authorised { request, id, .. } = call;
    let atomic = request.atomic;
    let requests = items(request)?;
    let results = if atomic {
        all_or_none(&app, requests).await?.into_iter().map(Ok).collect()
    } else {
        each(&app, requests).await
    };
    let results = results.into_iter().map(|sent| result(sent, id)).collect();
    Ok(v1::BatchSendMailResponse { results })
}

/// The items with their reseller, if the batch itself holds.
fn items(request: v1::BatchSendMailRequest) -> Result<Vec<v1::SendMailRequest>, Refusal> {
    let v1::BatchSendMailRequest { reseller, mut requests, .. } = request;
    let mut violations = Violations::default();
    if requests.is_empty() || requests.len() > limits::BATCH_ITEMS_MAX {
        violations.push("requests", format!("must have 1 to {} items", limits::BATCH_ITEMS_MAX));
    }
    for (index, item) in requests.iter_mut().enumerate() {
        let field = |name: &str| format!("requests[{index}].{name}");
        if item.reseller.is_empty() {
            item.reseller.clone_from(&reseller);
        } else if item.reseller != reseller {
            violations.push(field("reseller"), "must be empty or the batch's reseller");
        }
        if item.wait_for != i32::from(v1::WaitFor::Unspecified) {
            violations.push(field("wait_for"), "is not for an item of a batch");
        }
        if item.validate_only {
            violations.push(field("validate_only"), "is not for an item of a batch");
        }
    }
    Ok(violations.into_result(Some(requests))?)
}

/// An item whose `request_id` an earlier one has comes after that one.
async fn each(app: &App, requests: Vec<v1::SendMailRequest>) -> Vec<Sent> {
    let mut named = HashSet::new();
    let (firsts, twins): (Vec<_>, Vec<_>) = requests
        .into_iter()
        .enumerate()
        .partition(|(_, request)| request.request_id.is_empty() || named.insert(request.request_id.clone()));
    let mut sent = together(app, firsts).await;
    for twin in twins {
        sent.append(&mut together(app, vec![twin]).await);
    }
    sent.sort_by_key(|(index, _)| *index);
    sent.into_iter().map(|(_, sent)| sent).collect()
}

/// They get their places in the lane in their order, and share a commit but for the first: once that is written, the data key is
/// at hand, and those that follow reach the writer in their order.
async fn together(app: &App, requests: Vec<(usize, v1::SendMailRequest)>) -> Vec<(usize, Sent)> {
    let mut prepared = Vec::with_capacity(requests.len());
    for (index, request) in requests {
        prepared.push((index, prepare(app, request).await.map_err(|refusal| refusal.within(index))));
    }
    let mut sent = Vec::with_capacity(prepared.len());
    let mut prepared = prepared.into_iter();
    for (index, first) in prepared.by_ref() {
        let is_new = matches!(first, Ok(Prepared::New(..)));
        sent.push((index, send(app, first).await));
        if is_new {
            break;
        }
    }
    sent.append(&mut join_all(prepared.map(async |(index, item)| (index, send(app, item).await))).await);
    sent
}

async fn send(app: &App, prepared: Result<Prepared, Refusal>) -> Sent {
    match prepared? {
        Prepared::New(new, _) => {
            let _place = app.batch_places.acquire().await.map_err(Refusal::internal)?;
            accept(app, *new).await
        }
        Prepared::Replayed(message) => Ok((*message, true)),
    }
}

/// The faults of all items at once; else the first that is refused refuses all.
async fn all_or_none(app: &App, requests: Vec<v1::SendMailRequest>) -> Result<Vec<(Message, bool)>, Refusal> {
    let mut violations = Violations::default();
    let mut refused = None;
    let mut prepared = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        match prepare(app, request).await.map_err(|refusal| refusal.within(index)) {
            Ok(ready) => prepared.push(ready),
            Err(Refusal::Invalid(wrong)) => violations.extend(wrong),
            Err(other) => refused = refused.or(Some(other)),
        }
    }
    violations.into_result(Some(()))?;
    if let Some(refusal) = refused {
        return Err(refusal);
    }
    let is_new = |prepared: &Prepared| match prepared {
        Prepared::New(new, _) => Some((**new).clone()),
        Prepared::Replayed(_) => None,
    };
    let new: Vec<NewMessage> = prepared.iter().filter_map(is_new).collect();
    let mut accepted = accept_all(app, new).await?.into_iter();
    let sent = |prepared| match prepared {
        Prepared::Replayed(message) => Some((*message, true)),
        Prepared::New(..) => accepted.next().and_then(|accepted| match accepted {
            Accepted::New(message) => Some((*message, false)),
            Accepted::Replayed(message) => Some((*message, true)),
            Accepted::Refused(_) => None,
        }),
    };
    prepared.into_iter().map(sent).collect::<Option<_>>().ok_or_else(|| Refusal::internal(LOST_ITEM))
}

const LOST_ITEM: &str = "an item of a batch that was accepted has no message";

async fn accept_all(app: &App, new: Vec<NewMessage>) -> Result<Vec<Accepted>, Refusal> {
    let Some(first) = new.first() else { return Ok(Vec::new()) };
    let reseller = first.reseller.clone();
    let place = app.queue.admit(new.len(), new.iter().map(|new| new.content.len()).sum())?;
    let accepted = app.store.accept_all(new, app.limits.of_reseller()).await;
    if !matches!(accepted, Ok(AllAccepted::All(_))) {
        place.give_back();
    }
    match accepted? {
        AllAccepted::All(accepted) => {
            for one in &accepted {
                if let Accepted::New(message) = one {
                    app.metrics.accepted(&reseller, 1);
                    tracing::debug!(event = "message_accepted", %reseller, message_id = %message.id);
                }
            }
            app.wakeup.wake(&reseller);
            Ok(accepted)
        }
        AllAccepted::None(_, refused) => Err(Refusal::of_refused(refused, reseller)),
    }
}

fn result(sent: Sent, call: CallId) -> v1::BatchSendMailResult {
    let (result, replayed) = match sent {
        Ok((message, replayed)) => {
            (batch_send_mail_result::Result::Message(to_proto::message(message)), replayed)
        }
        Err(refusal) => {
            (batch_send_mail_result::Result::Status(to_proto::rpc_status(&refusal.into_status(call))), false)
        }
    };
    v1::BatchSendMailResult { result: Some(result), replayed }
}
