//! From a request that was looked at to a message that can be stored.

use jiff::Timestamp;
use postrider_domain::{
    AttemptNumber, AttemptStart, Email, InDoubtPolicy, Labels, Message, MessageId, MessageState, PayloadForm,
    Priority, RequestId, ResellerId, Settings, SettingsState, SettingsValues, TRACE, Violations, limits,
};
use postrider_microsoft::{Fit, Payload, internet_message_id};
use postrider_proto::v1;
use postrider_store::{Accepted, ContentHash, NewMessage, Refused, TestMail};
use tracing::Instrument as _;

use crate::app::App;
use crate::convert::from_proto::SendMail;
use crate::convert::{canonical, content, from_proto, to_proto};
use crate::ids::message_id;
use crate::ladder::Trial;
use crate::status::Refusal;
use crate::traces;

/// What a request comes to, before anything is written.
pub(crate) enum Prepared {
    /// An earlier call made it: the message as it is now.
    Replayed(Box<Message>),
    New(Box<NewMessage>, Box<Settings>),
}

/// All that can be said of a request without writing.
pub(crate) async fn prepare(app: &App, request: v1::SendMailRequest) -> Result<Prepared, Refusal> {
    let body = content::of_request(&request, app.limits.message_bytes)?;
    let hash = canonical::hash_of_mail(&app.content_hash, &request);
    let before = accepted_before(app, &request, &hash).await?;
    // Before validation: what was fine when it was accepted may be past its time now.
    if let Some(Accepted::New(message) | Accepted::Replayed(message)) = before {
        return Ok(Prepared::Replayed(message));
    }
    let mail = from_proto::send_mail(request, app.clock.now())?;
    if let Some(Accepted::Refused(refused)) = before {
        return Err(Refusal::of_refused(refused, mail.reseller));
    }
    let settings = app.store.get_settings(&mail.reseller).await?;
    let settings = settings.ok_or_else(|| Refusal::SettingsMissing(mail.reseller.clone()))?;
    check_against(&mail.email, body.len(), &settings.values)?;
    let message = new_message(app, &mail, body, hash, &settings);
    Ok(Prepared::New(Box::new(message), Box::new(settings)))
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

/// Writes it down and wakes its lane. Returns whether an earlier call had made it.
pub(crate) async fn accept(app: &App, new: NewMessage) -> Result<(Message, bool), Refusal> {
    let place = app.queue.admit(1, new.content.len())?;
    let (id, reseller) = (new.id, new.reseller.clone());
    let span = tracing::info_span!(target: TRACE, "accept", %reseller, message_id = %id);
    let accepted = app.store.accept(new, app.limits.of_reseller()).instrument(span).await;
    if !matches!(accepted, Ok(Accepted::New(_))) {
        place.give_back();
    }
    match accepted.map_err(|error| Refusal::of_accept(error, id))? {
        Accepted::New(message) => {
            app.metrics.accepted(&reseller, 1);
            tracing::debug!(event = "message_accepted", %reseller, message_id = %id);
            app.wakeup.wake(&reseller);
            Ok((*message, false))
        }
        Accepted::Replayed(message) => Ok((*message, true)),
        Accepted::Refused(refused) => Err(Refusal::of_refused(refused, reseller)),
    }
}

/// What would have been accepted: no id, and nothing stored.
pub(crate) async fn validated(
    app: &App,
    message: NewMessage,
    settings: &Settings,
) -> Result<v1::SendMailResponse, Refusal> {
    let usage = app.store.usage(&message.reseller, message.create_time).await?;
    let (bounds, bytes) = (app.limits.of_reseller(), message.content.len());
    let queued_bytes = usage.queued_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    if i64::from(usage.queued_messages) >= bounds.messages
        || i64::try_from(queued_bytes).map_or(true, |bytes| bytes > bounds.bytes)
    {
        return Err(Refusal::of_refused(Refused::QueueFull, message.reseller));
    }
    app.queue.admit(1, bytes)?.give_back();
    let held = settings.status.state == SettingsState::Paused;
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
    Ok(v1::SendMailResponse { message: Some(message), replayed: false })
}

/// What only the settings can tell: who it is from, and whether Graph can take it at all.
fn check_against(email: &Email, body_bytes: usize, settings: &SettingsValues) -> Result<(), Refusal> {
    email.check_against(settings, "email")?;
    if body_bytes <= limits::SURELY_FITS_BYTES {
        return Ok(());
    }
    match Payload::fit(email, settings) {
        Fit::TooLarge(request_bytes) => Err(Refusal::MailTooLarge { request_bytes }),
        Fit::Draft if !email.save_to_sent_items => {
            let problem = "a mail larger than one request to Graph (4 MB) is always kept in Sent Items";
            Err(Violations::one("email.save_to_sent_items", problem).into())
        }
        Fit::Draft | Fit::Request => Ok(()),
    }
}

/// Ready to be stored. `body` is its content.
fn new_message(
    app: &App,
    mail: &SendMail,
    body: Vec<u8>,
    content_hash: ContentHash,
    settings: &Settings,
) -> NewMessage {
    let now = app.clock.now();
    let id = message_id(now);
    let form = mail.email.form(&settings.values);
    NewMessage {
        reseller: mail.reseller.clone(),
        id,
        request_id: mail.request_id.clone(),
        content_hash,
        content: content::with_origin(body, traces::origin()),
        internet_message_id: (form == PayloadForm::Mime)
            .then(|| internet_message_id(id, &settings.values.mailbox)),
        subject: mail.email.subject.as_str().to_owned(),
        recipient_count: u32::try_from(mail.email.recipient_count()).unwrap_or(u32::MAX),
        labels: mail.labels.clone(),
        priority: mail.priority,
        policy: mail.policy,
        create_time: now,
        send_time: mail.send_time,
        expire_time: mail.expire_time,
    }
}

/// A test mail, with its only attempt begun: if nobody hears its answer, it ends as OUTCOME_UNKNOWN.
/// `start_time` is that of its turn at the mailbox.
pub(crate) fn test_mail(
    app: &App,
    trial: &Trial,
    id: MessageId,
    letter: (&Email, Vec<u8>),
    values: &SettingsValues,
    start_time: Timestamp,
) -> TestMail {
    let (email, content) = letter;
    let now = app.clock.now();
    let call_deadline = now.saturating_add(app.call_timeout).unwrap_or(Timestamp::MAX);
    let message = NewMessage {
        reseller: trial.reseller.clone(),
        id,
        request_id: trial.request_id.clone(),
        content_hash: trial.content_hash,
        content,
        internet_message_id: Some(internet_message_id(id, &values.mailbox)),
        subject: email.subject.as_str().to_owned(),
        recipient_count: 1,
        labels: Labels::new(),
        priority: Priority::Urgent,
        policy: InDoubtPolicy::AtMostOnce,
        create_time: now,
        send_time: None,
        expire_time: call_deadline,
    };
    let start = AttemptStart {
        message: id,
        number: AttemptNumber(1),
        start_time,
        call_deadline,
        settings: None,
        heard: None,
    };
    TestMail { message, mailbox: values.mailbox.folded(), limits: values.pace.applied_to(app.pace), start }
}
