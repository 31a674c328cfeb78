//! SEND: a real mail, in the mailbox's pace, with an attempt in its history like any other.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_dispatch::{NotYet, Pace, Turn};
use postrider_domain::{
    AccessToken, AttemptEnd, EmailAddress, Finding, FindingCode, Lane, MessageId, MessageState, Outcome,
    PaceLimits, ResellerId, Resolution, SettingsValues,
};
use postrider_microsoft::{Payload, SendMail};
use postrider_proto::v1;
use postrider_store::Accepted;
use tokio::time::Instant;

use super::Trial;
use crate::accept::test_mail;
use crate::app::App;
use crate::convert::from_proto;
use crate::status::Refusal;

/// How long a test waits for its turn at a busy mailbox.
const TURN_WAIT: Duration = Duration::from_secs(20);
const TURN_LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Between tries to write the outcome down while the store is away: a 202 is not given up.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// The test mail, if one was made, and what it came to: advice when it was sent, a finding when not.
pub(super) struct Sent {
    pub message: Option<MessageId>,
    pub told: Result<Vec<Finding>, Finding>,
}

pub(super) async fn send(
    app: &App,
    trial: &Trial,
    values: &SettingsValues,
    token: &AccessToken,
) -> Result<Sent, Refusal> {
    let reseller = &trial.reseller;
    let recipient = trial.recipient.as_ref().unwrap_or(&values.mailbox);
    if let Some(request_id) = &trial.request_id
        && let Some(before) = app.store.accepted_before(reseller, request_id, &trial.content_hash).await?
    {
        return repeated(before, recipient);
    }
    let wire = letter(values, recipient);
    let email = from_proto::stored_email(wire.clone()).map_err(Refusal::internal)?;
    let lane = Lane { reseller: reseller.clone(), mailbox: values.mailbox.clone() };
    let pace = app.wakeup.paces().of(&lane, app.clock.now());
    let Some((turn, start_time)) = turn(app, &pace, values).await else {
        let finding = Finding::new(FindingCode::Throttled).with(
            "reason",
            "the mailbox is busy sending its queue, or Microsoft asked to wait; test again in a minute",
        );
        return Ok(Sent { message: None, told: Err(finding) });
    };
    let test = test_mail(app, trial, &wire, values, start_time);
    let (id, start) = (test.message.id, test.start.clone());
    let internet_message_id = test.message.internet_message_id.clone().unwrap_or_default();
    let payload = Payload::build(&email, values, &internet_message_id, test.message.create_time);
    match app.store.accept_test(test).await? {
        Accepted::New(_) => {}
        before => return repeated(before, recipient),
    }
    let call = SendMail {
        cloud: values.cloud,
        mailbox: &values.mailbox,
        token,
        payload,
        client_request_id: uuid::Uuid::new_v4(),
        timeout: Duration::try_from(start.call_deadline.duration_since(app.clock.now())).unwrap_or_default(),
    };
    let verdict = app.microsoft.send_mail(call).await;
    let end_time = app.clock.now();
    if let Some(until) = verdict.retry_after.and_then(|asked| end_time.saturating_add(asked).ok()) {
        pace.close_until(until);
    }
    let resolution = Resolution::End(end_of(verdict.outcome));
    let told = told(verdict.outcome, verdict.finding.clone(), &internet_message_id, recipient);
    record(app, reseller, AttemptEnd { message: id, number: start.number, end_time, verdict, resolution })
        .await;
    drop(turn);
    app.wakeup.wake(reseller);
    Ok(Sent { message: Some(id), told })
}

/// The same request again: what its mail came to, and no second mail.
fn repeated(before: Accepted, recipient: &EmailAddress) -> Result<Sent, Refusal> {
    let message = match before {
        Accepted::New(message) | Accepted::Replayed(message) => message,
        Accepted::RequestIdReused => return Err(Refusal::RequestIdReused),
        Accepted::SettingsMissing => {
            return Err(Refusal::internal("a test mail was refused for want of settings"));
        }
    };
    let internet_message_id = message.internet_message_id.as_deref().unwrap_or_default();
    let last = message.attempts.last();
    let outcome = last.and_then(|attempt| attempt.outcome);
    let finding = last.and_then(|attempt| attempt.finding.clone());
    let told = match outcome {
        Some(outcome) => told(outcome, finding, internet_message_id, recipient),
        // The first call is still waiting for Microsoft: nothing is known to be wrong.
        None => Ok(Vec::new()),
    };
    Ok(Sent { message: Some(message.id), told })
}

fn told(
    outcome: Outcome,
    finding: Option<Finding>,
    internet_message_id: &str,
    recipient: &EmailAddress,
) -> Result<Vec<Finding>, Finding> {
    match (outcome, finding) {
        (Outcome::Sent, _) => Ok(vec![
            Finding::new(FindingCode::SentCheckJunk)
                .with("internet_message_id", internet_message_id)
                .with("recipient", recipient),
        ]),
        (_, Some(finding)) => Err(finding),
        (_, None) => Err(Finding::new(FindingCode::MicrosoftUnavailable)),
    }
}

async fn record(app: &App, reseller: &ResellerId, end: AttemptEnd) {
    while let Err(error) = app.store.end_attempt(reseller, end.clone()).await {
        tracing::error!(%reseller, %error, "the outcome of a test mail is not written yet");
        tokio::time::sleep(RECORD_AGAIN).await;
    }
}

/// A test is never tried again: whatever was not sent has ended.
fn end_of(outcome: Outcome) -> MessageState {
    match outcome {
        Outcome::Sent => MessageState::Sent,
        Outcome::InDoubt => MessageState::OutcomeUnknown,
        Outcome::Deferred | Outcome::Rejected => MessageState::Failed,
    }
}

/// A turn, and the start that is to be written down with it.
async fn turn(app: &App, pace: &Arc<Pace>, values: &SettingsValues) -> Option<(Turn, Timestamp)> {
    let limits: PaceLimits = values.pace.applied_to(app.pace);
    let give_up = Instant::now() + TURN_WAIT;
    loop {
        let now = app.clock.now();
        let not_yet = match pace.turn(now, limits) {
            Ok(turn) => return Some((turn, now)),
            Err(not_yet) => not_yet,
        };
        if Instant::now() >= give_up {
            return None;
        }
        match not_yet {
            // The lane waits for the same call to end, and may be told first.
            NotYet::Busy => drop(tokio::time::timeout(TURN_LOOK_AGAIN, pace.freed()).await),
            NotYet::Until(_) => tokio::time::sleep(TURN_LOOK_AGAIN).await,
        }
    }
}

fn letter(values: &SettingsValues, recipient: &EmailAddress) -> v1::Email {
    let mailbox = &values.mailbox;
    v1::Email {
        to: vec![v1::Address { address: recipient.to_string(), display_name: String::new() }],
        subject: "Postrider: test mail".to_owned(),
        text: format!(
            "This is the test mail of the email settings of {mailbox}.\n\n\
             It was sent through Microsoft 365 by Postrider. That you read it shows that the settings work.\n\
             If it came to the junk folder, mark it as \"not junk\".\n"
        ),
        ..v1::Email::default()
    }
}
