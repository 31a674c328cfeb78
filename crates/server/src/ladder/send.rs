//! SEND: a real mail, in the mailbox's pace, with an attempt in its history like any other.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_dispatch::{NotYet, Pace, Turn};
use postrider_domain::{
    AccessToken, AttemptEnd, AttemptNumber, Email, EmailAddress, Finding, FindingCode, Lane, MessageId,
    MessageState, Outcome, PaceLimits, ResellerId, Resolution, SettingsValues,
};
use postrider_microsoft::{Payload, SendMail};
use postrider_store::{Accepted, Refused};
use tokio::time::Instant;

use super::{StepStatus, Trial};
use crate::accept::test_mail;
use crate::app::App;
use crate::convert::content;
use crate::ids::message_id;
use crate::status::Refusal;

/// How long a test waits for its turn at a busy mailbox.
const TURN_WAIT: Duration = Duration::from_secs(20);
const TURN_LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Between tries to write the outcome down while the store is away: a 202 is not given up.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// The test mail, if one was made, and what it came to.
pub(super) struct Sent {
    pub message: Option<MessageId>,
    pub status: StepStatus,
    pub detail: String,
    pub findings: Vec<Finding>,
    /// An earlier call of the same request made it.
    pub is_repeat: bool,
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
        return repeated(before, values, recipient);
    }
    let (email, content) = letter(values, recipient).ok_or_else(|| Refusal::internal(NO_LETTER))?;
    let id = message_id(app.clock.now());
    let lane = Lane { reseller: reseller.clone(), mailbox: values.mailbox.folded() };
    let pace = app.wakeup.paces().of(&lane, app.clock.now());
    let give_up = Instant::now() + TURN_WAIT;
    let (mut turn, test) = loop {
        let Some((mut turn, start_time)) = turn(app, &pace, values, id, give_up).await else {
            return Ok(busy());
        };
        let test = test_mail(app, trial, id, (&email, content.clone()), values, start_time);
        match app.store.accept_test(test.clone()).await {
            Ok(Accepted::New(_)) => {
                app.metrics.accepted(reseller, 1);
                tracing::debug!(event = "message_accepted", %reseller, message_id = %id);
                break (turn, test);
            }
            // Another replica sends the mailbox's queue.
            Ok(Accepted::Refused(Refused::MailboxBusy)) => turn.was_not_used(),
            Ok(before) => return repeated(before, values, recipient),
            Err(error) => {
                // It may be there all the same: its lane then ends it after its deadline.
                app.wakeup.wake(reseller);
                return Err(Refusal::of_accept(error, id));
            }
        }
        drop(turn);
        tokio::time::sleep(TURN_LOOK_AGAIN).await;
    };
    let start = test.start;
    let internet_message_id = test.message.internet_message_id.unwrap_or_default();
    let payload = Payload::build(&email, values, &internet_message_id, test.message.create_time);
    let call = SendMail {
        cloud: values.cloud,
        mailbox: &values.mailbox,
        token,
        payload,
        client_request_id: uuid::Uuid::new_v4(),
        timeout: Duration::try_from(start.call_deadline.duration_since(app.clock.now())).unwrap_or_default(),
    };
    let verdict = app.microsoft.send_mail(call).await.verdict;
    if matches!(verdict.outcome, Outcome::Deferred | Outcome::Rejected) {
        turn.was_not_taken();
    }
    let end_time = app.clock.now();
    if let Some(until) = verdict.retry_after.and_then(|asked| end_time.saturating_add(asked).ok()) {
        pace.close_until(until);
    }
    let resolution = Resolution::End(end_of(verdict.outcome));
    let (status, findings) = told(verdict.outcome, verdict.finding.clone(), &internet_message_id, recipient);
    record(app, reseller, AttemptEnd { message: id, number: start.number, end_time, verdict, resolution })
        .await;
    drop(turn);
    app.wakeup.wake(reseller);
    let detail = did(values, recipient);
    Ok(Sent { message: Some(id), status, detail, findings, is_repeat: false })
}

fn busy() -> Sent {
    let finding = Finding::new(FindingCode::Throttled).with(
        "reason",
        "the mailbox is busy sending its queue, or Microsoft asked to wait; test again in a minute",
    );
    Sent {
        message: None,
        status: StepStatus::Failed,
        detail: format!("waited {} s for the mailbox's turn", TURN_WAIT.as_secs()),
        findings: vec![finding],
        is_repeat: false,
    }
}

fn did(values: &SettingsValues, recipient: &EmailAddress) -> String {
    format!("handed a mail from {} to {recipient} to Microsoft", values.mailbox)
}

/// The same request again: what its mail came to, and no second mail.
fn repeated(before: Accepted, values: &SettingsValues, recipient: &EmailAddress) -> Result<Sent, Refusal> {
    let message = match before {
        Accepted::New(message) | Accepted::Replayed(message) => message,
        Accepted::Refused(Refused::RequestIdReused) => return Err(Refusal::RequestIdReused),
        Accepted::Refused(refused) => {
            return Err(Refusal::internal(format!("a test mail was refused: {refused:?}")));
        }
    };
    let internet_message_id = message.internet_message_id.as_deref().unwrap_or_default();
    let last = message.attempts.last();
    let outcome = last.and_then(|attempt| attempt.outcome);
    let finding = last.and_then(|attempt| attempt.finding.clone());
    let (status, findings) = match outcome {
        Some(outcome) => told(outcome, finding, internet_message_id, recipient),
        // The first call still waits for Microsoft: nothing is known to be wrong, nor to work.
        None => (StepStatus::Warned, Vec::new()),
    };
    let detail = format!("{}, in an earlier call of the same request_id", did(values, recipient));
    Ok(Sent { message: Some(message.id), status, detail, findings, is_repeat: true })
}

fn told(
    outcome: Outcome,
    finding: Option<Finding>,
    internet_message_id: &str,
    recipient: &EmailAddress,
) -> (StepStatus, Vec<Finding>) {
    if outcome == Outcome::Sent {
        let junk = Finding::new(FindingCode::SentCheckJunk)
            .with("internet_message_id", internet_message_id)
            .with("recipient", recipient);
        return (StepStatus::Passed, vec![junk]);
    }
    let finding = finding.unwrap_or_else(|| Finding::new(FindingCode::MicrosoftUnavailable));
    (StepStatus::Failed, vec![finding])
}

async fn record(app: &App, reseller: &ResellerId, end: AttemptEnd) {
    while let Err(error) = app.store.end_attempt(reseller, end.clone()).await {
        tracing::error!(event = "outcome_not_written", %reseller, %error, "the outcome of a test mail is not written yet");
        tokio::time::sleep(RECORD_AGAIN).await;
    }
    app.metrics.attempted(reseller, &end);
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
async fn turn(
    app: &App,
    pace: &Arc<Pace>,
    values: &SettingsValues,
    id: MessageId,
    give_up: Instant,
) -> Option<(Turn, Timestamp)> {
    let limits: PaceLimits = values.pace.applied_to(app.pace);
    loop {
        if Instant::now() >= give_up {
            return None;
        }
        let now = app.clock.now();
        let not_yet = match pace.turn(now, limits, (id, AttemptNumber(1)), 1) {
            Ok(turn) => return Some((turn, now)),
            Err(not_yet) => not_yet,
        };
        match not_yet {
            // The lane waits for the same call to end, and may be told first.
            NotYet::Busy => drop(tokio::time::timeout(TURN_LOOK_AGAIN, pace.freed()).await),
            NotYet::Until(_) | NotYet::TooManyRecipients => tokio::time::sleep(TURN_LOOK_AGAIN).await,
        }
    }
}

/// Nothing in it depends on how long an address is: it can always be made.
fn letter(values: &SettingsValues, recipient: &EmailAddress) -> Option<(Email, Vec<u8>)> {
    let mailbox = &values.mailbox;
    let text = format!(
        "This is the test mail of the email settings of {mailbox}.\n\n\
         It was sent through Microsoft 365 by Postrider. That you read it shows that the settings work.\n\
         If it came to the junk folder, mark it as \"not junk\".\n"
    );
    content::letter(recipient, "Postrider: test mail", text)
}

const NO_LETTER: &str = "the test mail is not an email";
