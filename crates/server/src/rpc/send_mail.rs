//! `SendMail`: validate → accept → wake, and wait where the caller asked for it.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Message, MessageState, RequestId, ResellerId, Settings, limits};
use postrider_proto::v1;
use postrider_store::{Accepted, ContentHash, NewMessage};
use tokio::time::Instant;

use crate::accept::{check_against, new_message};
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{canonical, content, from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn send_mail(
    app: Arc<App>,
    call: Authorised<v1::SendMailRequest>,
) -> Result<v1::SendMailResponse, Refusal> {
    let Authorised { request, deadline, .. } = call;
    let body = content::of_request(&request, app.message_bytes_max)?;
    let hash = canonical::hash_of_mail(&app.content_hash, &request);
    let waits = request.wait_for == i32::from(v1::WaitFor::Sent) && !request.validate_only;
    let before = accepted_before(&app, &request, &hash).await?;
    // Before validation: what was fine when it was accepted may be past its time now.
    if let Some(Accepted::Replayed(message)) = before {
        return reply(&app, *message, true, waits, deadline).await;
    }
    let mail = from_proto::send_mail(request, app.clock.now())?;
    if let Some(Accepted::RequestIdReused) = before {
        return Err(Refusal::RequestIdReused);
    }
    let settings = app.store.get_settings(&mail.reseller).await?;
    let settings = settings.ok_or_else(|| Refusal::SettingsMissing(mail.reseller.clone()))?;
    check_against(&mail.email, body.len(), &settings.values)?;
    let message = new_message(&app, &mail, body, hash, &settings);
    if mail.validate_only {
        return Ok(validated(message, &settings));
    }
    match accept(&app, message).await? {
        Accepted::New(message) => reply(&app, *message, false, waits, deadline).await,
        Accepted::Replayed(message) => reply(&app, *message, true, waits, deadline).await,
        Accepted::RequestIdReused => Err(Refusal::RequestIdReused),
        Accepted::SettingsMissing => Err(Refusal::SettingsMissing(mail.reseller)),
    }
}

/// What this request came to before. What cannot be a known request is left to validation.
async fn accepted_before(
    app: &App,
    request: &v1::SendMailRequest,
    hash: &ContentHash,
) -> Result<Option<Accepted>, Refusal> {
    let reseller = ResellerId::parse(&request.reseller).ok();
    match reseller.zip(RequestId::parse(&request.request_id).ok()) {
        Some((reseller, request_id)) => Ok(app.store.accepted_before(&reseller, &request_id, hash).await?),
        None => Ok(None),
    }
}

async fn reply(
    app: &App,
    message: Message,
    replayed: bool,
    waits: bool,
    deadline: Option<Instant>,
) -> Result<v1::SendMailResponse, Refusal> {
    let message = if waits { wait_for_sent(app, message, deadline).await? } else { message };
    Ok(v1::SendMailResponse { message: Some(to_proto::message(message)), replayed })
}

async fn accept(app: &App, message: NewMessage) -> Result<Accepted, Refusal> {
    let (id, reseller) = (message.id, message.reseller.clone());
    match app.store.accept(message).await {
        Ok(accepted) => {
            app.wakeup.wake(&reseller);
            Ok(accepted)
        }
        Err(error) => Err(Refusal::of_accept(error, id)),
    }
}

/// What would have been accepted: no id, and nothing stored.
fn validated(message: NewMessage, settings: &Settings) -> v1::SendMailResponse {
    let held = settings.status.state == postrider_domain::SettingsState::Paused;
    let state = match message.send_time {
        Some(_) => MessageState::Scheduled,
        None if held => MessageState::Held,
        None => MessageState::Accepted,
    };
    let preview = Message {
        reseller: message.reseller,
        id: message.id,
        request_id: message.request_id,
        state,
        internet_message_id: None,
        create_time: message.create_time,
        update_time: message.create_time,
        send_time: message.send_time,
        expire_time: message.expire_time,
        next_attempt_time: None,
        attempts: Vec::new(),
        finding: settings.status.finding.clone().filter(|_| state == MessageState::Held),
        subject: message.subject,
        recipient_count: message.recipient_count,
        labels: message.labels,
    };
    let message = v1::Message { message_id: String::new(), ..to_proto::message(preview) };
    v1::SendMailResponse { message: Some(message), replayed: false }
}

async fn wait_for_sent(app: &App, accepted: Message, deadline: Option<Instant>) -> Result<Message, Refusal> {
    let (reseller, id) = (accepted.reseller.clone(), accepted.id);
    let mut wait = app.waits.begin(&reseller, id);
    let until = answer_by(deadline);
    let mut last = accepted;
    let mut time_is_up = false;
    loop {
        last = app.store.get_message(&reseller, &id).await?.unwrap_or(last);
        // The message stays accepted; the caller learns its id and its state so far.
        if last.state.ends_a_wait() || time_is_up {
            return Ok(last);
        }
        tokio::select! {
            biased;
            () = wait.changed() => {}
            () = tokio::time::sleep_until(until) => time_is_up = true,
            () = app.shutdown.cancelled() => time_is_up = true,
        }
    }
}

/// Shortly before the caller stops waiting, so that the answer still arrives: half a second, or a tenth of what is left.
fn answer_by(deadline: Option<Instant>) -> Instant {
    let now = Instant::now();
    let Some(deadline) = deadline else { return now + limits::WAIT_DEFAULT };
    let left = deadline.saturating_duration_since(now);
    deadline.checked_sub((left / 10).min(Duration::from_millis(500))).unwrap_or(now)
}
