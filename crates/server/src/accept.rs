//! From a request that was looked at to a message on disk.

use jiff::Timestamp;
use postrider_credential_store::KeyedHash;
use postrider_domain::{
    AttemptNumber, AttemptStart, Email, InDoubtPolicy, Labels, MessageId, PayloadForm, Priority, Settings,
    SettingsValues, limits,
};
use postrider_microsoft::{Payload, internet_message_id};
use postrider_proto::v1;
use postrider_store::{ContentHash, NewMessage, TestMail};
use prost::Message as _;

use crate::app::App;
use crate::convert::from_proto::SendMail;
use crate::ladder::Trial;
use crate::status::Refusal;

/// Content beyond this is built once at the door to learn its size; below it cannot be too large.
const SURELY_FITS_BYTES: usize = limits::GRAPH_REQUEST_BYTES_MAX / 8;

/// The request as its caller meant it: every default spelled out, and nothing that may differ between two calls for
/// the same message.
pub(crate) fn content_hash(key: &KeyedHash, request: &v1::SendMailRequest) -> ContentHash {
    let mut canonical = request.clone();
    canonical.request_id.clear();
    canonical.wait_for = 0;
    canonical.validate_only = false;
    if canonical.priority == 0 {
        canonical.priority = v1::Priority::Normal.into();
    }
    if canonical.in_doubt == 0 {
        canonical.in_doubt = v1::InDoubtPolicy::AtLeastOnce.into();
    }
    if let Some(email) = &mut canonical.email {
        email.save_to_sent_items.get_or_insert(true);
        if email.importance == 0 {
            email.importance = v1::Importance::Normal.into();
        }
    }
    ContentHash(key.hash(&[&canonical.encode_to_vec()]))
}

/// What only the settings can tell: who it is from, and whether one request to Graph can carry it.
pub(crate) fn check_against(
    email: &Email,
    body_bytes: usize,
    settings: &SettingsValues,
) -> Result<(), Refusal> {
    email.check_against(settings, "email")?;
    if body_bytes > SURELY_FITS_BYTES {
        let payload =
            Payload::build(email, settings, "<size@postrider.invalid>", jiff::Timestamp::UNIX_EPOCH);
        if payload.len() > limits::GRAPH_REQUEST_BYTES_MAX {
            return Err(Refusal::MailTooLarge { request_bytes: payload.len() });
        }
    }
    Ok(())
}

/// Ready to be stored. `body` is the serialized `Email`.
pub(crate) fn new_message(
    app: &App,
    mail: &SendMail,
    body: Vec<u8>,
    content_hash: ContentHash,
    settings: &Settings,
) -> NewMessage {
    let id = MessageId::of_uuid(uuid::Uuid::now_v7());
    let form = mail.email.form(&settings.values);
    NewMessage {
        reseller: mail.reseller.clone(),
        id,
        request_id: mail.request_id.clone(),
        content_hash,
        content: body,
        internet_message_id: (form == PayloadForm::Mime)
            .then(|| internet_message_id(id, &settings.values.mailbox)),
        subject: mail.email.subject.as_str().to_owned(),
        recipient_count: u32::try_from(mail.email.recipient_count()).unwrap_or(u32::MAX),
        labels: mail.labels.clone(),
        priority: mail.priority,
        policy: mail.policy,
        create_time: app.clock.now(),
        send_time: mail.send_time,
        expire_time: mail.expire_time,
    }
}

/// A test mail, with its only attempt begun: if nobody hears its answer, it ends as OUTCOME_UNKNOWN.
/// `start_time` is that of its turn at the mailbox.
pub(crate) fn test_mail(
    app: &App,
    trial: &Trial,
    email: &v1::Email,
    values: &SettingsValues,
    start_time: Timestamp,
) -> TestMail {
    let (id, now) = (MessageId::of_uuid(uuid::Uuid::now_v7()), app.clock.now());
    let call_deadline = now.saturating_add(app.call_timeout).unwrap_or(Timestamp::MAX);
    let message = NewMessage {
        reseller: trial.reseller.clone(),
        id,
        request_id: trial.request_id.clone(),
        content_hash: trial.content_hash,
        content: email.encode_to_vec(),
        internet_message_id: Some(internet_message_id(id, &values.mailbox)),
        subject: email.subject.clone(),
        recipient_count: 1,
        labels: Labels::new(),
        priority: Priority::Urgent,
        policy: InDoubtPolicy::AtMostOnce,
        create_time: now,
        send_time: None,
        expire_time: call_deadline,
    };
    let start = AttemptStart { message: id, number: AttemptNumber(1), start_time, call_deadline };
    TestMail { message, mailbox: values.mailbox.clone(), start }
}

/// The serialized `Email`, if it is within the limit. That there is one is looked at with the other fields.
pub(crate) fn body_of(request: &v1::SendMailRequest, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = request.email.as_ref().map_or(0, prost::Message::encoded_len);
    if bytes > bytes_max {
        return Err(Refusal::RequestTooLarge { limit_bytes: bytes_max });
    }
    Ok(request.email.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default())
}
