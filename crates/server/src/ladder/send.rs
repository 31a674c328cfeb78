//! SEND: a real mail, in the mailbox's pace, with an attempt in its history like any other.

use std::time::Duration;

use postrider_dispatch::{NotYet, Turn};
use postrider_domain::{
    AccessToken, AttemptEnd, EmailAddress, Finding, FindingClass, FindingCode, Lane, MessageId, MessageState,
    Outcome, PaceLimits, Resolution, SettingsValues, Verdict,
};
use postrider_microsoft::{Payload, SendMail};
use postrider_proto::v1;
use tokio::time::Instant;

use super::Trial;
use crate::accept::test_mail;
use crate::app::App;
use crate::convert::from_proto;
use crate::status::Refusal;

/// How long a test waits for its turn at a busy mailbox.
const TURN_WAIT: Duration = Duration::from_secs(20);
const TURN_LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The message that was made, and what it came to: advice when it was sent, a finding when not.
pub(super) async fn send(
    app: &App,
    trial: &Trial,
    values: &SettingsValues,
    token: &AccessToken,
) -> Result<(MessageId, Result<Vec<Finding>, Finding>), Refusal> {
    let recipient = trial.recipient.as_ref().unwrap_or(&values.mailbox);
    let lane = Lane { reseller: trial.reseller.clone(), mailbox: values.mailbox.clone() };
    let turn = turn(app, &lane, values).await;
    let wire = letter(values, recipient);
    let test = test_mail(app, &trial.reseller, wire.clone(), values);
    let (id, number) = (test.message.id, test.start.number);
    let internet_message_id = test.message.internet_message_id.clone().unwrap_or_default();
    let date = test.message.create_time;
    app.store.accept_test(test).await?;
    let verdict = match (turn, from_proto::stored_email(wire)) {
        (Some(turn), Ok(email)) => {
            let payload = Payload::build(&email, values, &internet_message_id, date);
            let call = SendMail {
                cloud: values.cloud,
                mailbox: &values.mailbox,
                token,
                payload,
                client_request_id: uuid::Uuid::new_v4(),
                timeout: app.call_timeout,
            };
            let verdict = app.microsoft.send_mail(call).await;
            drop(turn);
            verdict
        }
        (None, _) => busy(),
        (_, Err(violations)) => return Err(Refusal::internal(violations)),
    };
    let resolution = Resolution::End(end_of(verdict.outcome));
    let end =
        AttemptEnd { message: id, number, end_time: app.clock.now(), verdict: verdict.clone(), resolution };
    app.store.end_attempt(&trial.reseller, end).await?;
    let told = match (verdict.outcome, verdict.finding) {
        (Outcome::Sent, _) => Ok(vec![
            Finding::new(FindingCode::SentCheckJunk)
                .with("internet_message_id", &internet_message_id)
                .with("recipient", recipient),
        ]),
        (_, Some(finding)) => Err(finding),
        (_, None) => Err(Finding::new(FindingCode::MicrosoftUnavailable)),
    };
    Ok((id, told))
}

/// A test is never tried again: whatever was not sent has ended.
fn end_of(outcome: Outcome) -> MessageState {
    match outcome {
        Outcome::Sent => MessageState::Sent,
        Outcome::InDoubt => MessageState::OutcomeUnknown,
        Outcome::Deferred | Outcome::Rejected => MessageState::Failed,
    }
}

async fn turn(app: &App, lane: &Lane, values: &SettingsValues) -> Option<Turn> {
    let pace = app.wakeup.paces().of(lane, app.clock.now());
    let limits: PaceLimits = values.pace.applied_to(app.pace);
    let give_up = Instant::now() + TURN_WAIT;
    loop {
        let not_yet = match pace.turn(app.clock.now(), limits) {
            Ok(turn) => return Some(turn),
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

fn busy() -> Verdict {
    let finding = Finding::new(FindingCode::Throttled)
        .classed(FindingClass::Limit)
        .with("reason", "the mailbox is busy sending its queue; test again in a minute");
    Verdict::of(Outcome::Deferred, finding)
}

fn letter(values: &SettingsValues, recipient: &EmailAddress) -> v1::Email {
    let mailbox = &values.mailbox;
    v1::Email {
        to: vec![v1::Address { address: recipient.to_string(), display_name: String::new() }],
        subject: format!("Test mail from {mailbox}"),
        text: format!(
            "This is the test mail of the email settings of {mailbox}.\n\n\
             It was sent through Microsoft 365 by Postrider. That you read it shows that the settings work.\n\
             If it came to the junk folder, mark it as \"not junk\".\n"
        ),
        ..v1::Email::default()
    }
}
