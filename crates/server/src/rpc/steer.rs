//! `CancelMessage`, `RetryMessage`, `RetryMessages`: what a person does about mail that was not sent.

use std::slice;
use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{Attempt, Message, MessageId, MessageState, Outcome, ResellerId, Violations, limits};
use postrider_proto::v1;
use postrider_store::{DynStore, MessageFilter, Retry, Steered};

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

/// Messages of a retry of many that are read in one step, and those that are written in one.
const READ_AT_ONCE: u32 = 100;
const RETRIED_AT_ONCE: usize = 100;

pub(super) async fn cancel_message(
    app: Arc<App>,
    call: Authorised<v1::CancelMessageRequest>,
) -> Result<v1::CancelMessageResponse, Refusal> {
    let (reseller, id) = named(&call.request.reseller, &call.request.message_id)?;
    let steered = app.store.cancel(&reseller, &id).await?;
    if steered == Steered::Done {
        app.metrics.finished(&reseller, MessageState::Cancelled, 1);
    }
    let message = steered_message(&app, steered, &reseller, id, "cancelled").await?;
    Ok(v1::CancelMessageResponse { message: Some(message) })
}

pub(super) async fn retry_message(
    app: Arc<App>,
    call: Authorised<v1::RetryMessageRequest>,
) -> Result<v1::RetryMessageResponse, Refusal> {
    let request = call.request;
    let (reseller, id) = named(&request.reseller, &request.message_id)?;
    let act = call.origin.act(slice::from_ref(&reseller), &[("message_id", &id.to_string())]);
    let store = app.store.clone().by(act);
    let message = app.store.get_message(&reseller, &id).await?.ok_or(Refusal::MessageNotFound)?;
    let how = how(&app, request.accept_duplicate);
    let steered = retry(&app, &store, &reseller, &Found::of(&message), how).await?;
    let message = steered_message(&app, steered, &reseller, id, "retried").await?;
    app.wakeup.wake(&reseller);
    Ok(v1::RetryMessageResponse { message: Some(message) })
}

pub(super) async fn retry_messages(
    app: Arc<App>,
    call: Authorised<v1::RetryMessagesRequest>,
) -> Result<v1::RetryMessagesResponse, Refusal> {
    let request = call.request;
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(&request.reseller, &mut violations);
    let states = from_proto::states(&request.states, &mut violations);
    let labels = violations.labels("labels", request.labels);
    let reseller = violations.into_result(reseller)?;
    let states = if states.is_empty() { vec![MessageState::Failed, MessageState::Expired] } else { states };
    let how = how(&app, request.accept_duplicate);
    // Told before the first of many transactions: none of them is without it.
    let names: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    app.store.note(call.origin.act(slice::from_ref(&reseller), &[("states", &names.join(","))])).await?;
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter =
            MessageFilter { states: states.clone(), labels: labels.clone(), before, limit: READ_AT_ONCE };
        let page = app.store.list_messages(&reseller, filter).await?;
        before = page.messages.last().map(|message| message.id);
        let wanted = page.messages.iter().filter(|message| may_be_retried(message, how));
        found.extend(wanted.map(Found::of));
        if !page.more {
            break;
        }
    }
    let mut retried = 0;
    // They are read from the last to the first, and go from the first to the last.
    found.reverse();
    for some in found.chunks(RETRIED_AT_ONCE) {
        retried += retry_all(&app, &reseller, some, how).await?;
        app.wakeup.wake(&reseller);
    }
    Ok(v1::RetryMessagesResponse { retried_count: retried })
}

/// What is kept of a message that is to be retried: there may be very many.
struct Found {
    id: MessageId,
    is_end: bool,
}

impl Found {
    fn of(message: &Message) -> Self {
        Self { id: message.id, is_end: message.state.is_end() }
    }
}

/// How many of them could be retried. Those that are written together share a commit. Where there is no room for all, some are.
async fn retry_all(app: &App, reseller: &ResellerId, found: &[Found], how: Retry) -> Result<i32, Refusal> {
    let retries = found.iter().map(|found| retry(app, &app.store, reseller, found, how));
    let all = futures::future::join_all(retries).await;
    let mut retried = 0;
    for steered in all {
        match steered? {
            Steered::Done => retried += 1,
            Steered::QueueFull => return Err(Refusal::QueueFull(reseller.clone())),
            Steered::SettingsMissing => return Err(Refusal::SettingsMissing(reseller.clone())),
            Steered::AlreadySo
            | Steered::Missing
            | Steered::Forbidden { .. }
            | Steered::ContentGone { .. } => {}
        }
    }
    Ok(retried)
}

/// As far as it can be seen: what the store would refuse asks for no place.
fn may_be_retried(message: &Message, how: Retry) -> bool {
    let is_doubt = |attempt: &Attempt| attempt.outcome == Some(Outcome::InDoubt);
    how.accept_duplicate || !message.attempts.iter().any(is_doubt)
}

/// What had ended takes a place in the whole queue again; its bytes are counted with the next look at that.
async fn retry(
    app: &App,
    store: &DynStore,
    reseller: &ResellerId,
    found: &Found,
    how: Retry,
) -> Result<Steered, Refusal> {
    let place = app.queue.admit(usize::from(found.is_end), 0)?;
    let steered = store.retry(reseller, &found.id, how).await?;
    if steered != Steered::Done {
        place.give_back();
    }
    Ok(steered)
}

fn how(app: &App, accept_duplicate: bool) -> Retry {
    let expire_time = app.clock.now().saturating_add(limits::EXPIRY_DEFAULT).unwrap_or(Timestamp::MAX);
    Retry { expire_time, accept_duplicate, bounds: app.limits.of_reseller() }
}

/// What is no id names no message.
fn named(reseller: &str, message_id: &str) -> Result<(ResellerId, MessageId), Refusal> {
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(reseller, &mut violations);
    if message_id.is_empty() {
        violations.push("message_id", "is required");
    }
    let reseller = violations.into_result(reseller)?;
    let id = MessageId::parse(message_id).ok_or(Refusal::MessageNotFound)?;
    Ok((reseller, id))
}

async fn steered_message(
    app: &App,
    steered: Steered,
    reseller: &ResellerId,
    id: MessageId,
    what: &'static str,
) -> Result<v1::Message, Refusal> {
    match steered {
        Steered::Done | Steered::AlreadySo => {
            let message = app.store.get_message(reseller, &id).await?;
            message.map(to_proto::message).ok_or(Refusal::MessageNotFound)
        }
        Steered::Missing => Err(Refusal::MessageNotFound),
        Steered::SettingsMissing => Err(Refusal::SettingsMissing(reseller.clone())),
        Steered::QueueFull => Err(Refusal::QueueFull(reseller.clone())),
        Steered::Forbidden { state, in_doubt } => Err(Refusal::MessageState { what, state, in_doubt }),
        Steered::ContentGone { state } => Err(Refusal::ContentGone { state }),
    }
}
