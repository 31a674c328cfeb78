//! `SendMail`: validate → accept → wake, and wait where the caller asked for it.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Message, MessageId, MessageState, ResellerId, Settings, limits};
use postrider_proto::v1;
use postrider_store::{Accepted, NewMessage};
use tokio::time::Instant;

use crate::accept::{body_of, check_against, content_hash, new_message};
use crate::app::App;
use crate::call::Authorised;
use crate::convert::from_proto::SendMail;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn send_mail(
    app: Arc<App>,
    call: Authorised<v1::SendMailRequest>,
) -> Result<v1::SendMailResponse, Refusal> {
    let Authorised { request, deadline, .. } = call;
    let body = body_of(&request, app.message_bytes_max)?;
    let hash = content_hash(&app.content_hash, &request);
    let mail = from_proto::send_mail(request, app.clock.now())?;
    let before = match &mail.request_id {
        Some(request_id) => app.store.accepted_before(&mail.reseller, request_id, &hash).await?,
        None => None,
    };
    let accepted = if let Some(accepted) = before {
        accepted
    } else {
        let settings = app.store.get_settings(&mail.reseller).await?;
        let settings = settings.ok_or_else(|| Refusal::SettingsMissing(mail.reseller.clone()))?;
        check_against(&mail.email, body.len(), &settings.values)?;
        let message = new_message(&app, &mail, body, hash, &settings);
        if mail.validate_only {
            return Ok(validated(message, &settings));
        }
        accept(&app, message).await?
    };
    let (message, replayed) = match accepted {
        Accepted::New(message) => (*message, false),
        Accepted::Replayed(message) => (*message, true),
        Accepted::RequestIdReused => return Err(Refusal::RequestIdReused),
        Accepted::SettingsMissing => return Err(Refusal::SettingsMissing(mail.reseller)),
    };
    let message = if mail.wait_for_sent && !mail.validate_only {
        wait_for_sent(&app, &mail, message, deadline).await?
    } else {
        message
    };
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

async fn wait_for_sent(
    app: &App,
    mail: &SendMail,
    accepted: Message,
    deadline: Option<Instant>,
) -> Result<Message, Refusal> {
    let id = accepted.id;
    let mut wait = app.waits.begin(&mail.reseller, id);
    let until = answer_by(deadline);
    let mut last = accepted;
    loop {
        last = look(app, &mail.reseller, id).await?.unwrap_or(last);
        if last.state.ends_a_wait() {
            return Ok(last);
        }
        tokio::select! {
            biased;
            () = wait.changed() => {}
            // The message stays accepted; the caller learns its id and state so far.
            () = tokio::time::sleep_until(until) => return Ok(last),
            () = app.shutdown.cancelled() => return Ok(last),
        }
    }
}

async fn look(app: &App, reseller: &ResellerId, id: MessageId) -> Result<Option<Message>, Refusal> {
    Ok(app.store.get_message(reseller, &id).await?)
}

/// Shortly before the caller stops waiting, so that the answer still arrives: half a second, or a tenth of what is left.
fn answer_by(deadline: Option<Instant>) -> Instant {
    let now = Instant::now();
    let Some(deadline) = deadline else { return now + limits::WAIT_DEFAULT };
    let left = deadline.saturating_duration_since(now);
    deadline.checked_sub((left / 10).min(Duration::from_millis(500))).unwrap_or(now)
}
