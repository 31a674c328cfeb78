//! From a request that was looked at to a message on disk.

use jiff::Timestamp;
use postrider_domain::{
    AttemptNumber, AttemptStart, Email, InDoubtPolicy, Labels, PayloadForm, Priority, Settings,
    SettingsValues, Violations, limits,
};
use postrider_microsoft::{Fit, Payload, internet_message_id};
use postrider_store::{ContentHash, NewMessage, TestMail};

use crate::app::App;
use crate::convert::from_proto::SendMail;
use crate::ids::message_id;
use crate::ladder::Trial;
use crate::status::Refusal;

/// What only the settings can tell: who it is from, and whether Graph can take it at all.
pub(crate) fn check_against(
    email: &Email,
    body_bytes: usize,
    settings: &SettingsValues,
) -> Result<(), Refusal> {
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
pub(crate) fn new_message(
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
        content: body,
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
    letter: (&Email, Vec<u8>),
    values: &SettingsValues,
    start_time: Timestamp,
) -> TestMail {
    let (email, content) = letter;
    let now = app.clock.now();
    let id = message_id(now);
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
    let start = AttemptStart { message: id, number: AttemptNumber(1), start_time, call_deadline };
    TestMail { message, mailbox: values.mailbox.clone(), start }
}
