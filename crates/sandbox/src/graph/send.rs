//! `POST /users/{m}/sendMail`, as MIME or JSON, and what becomes of a mail that may go: the same for a draft's sending.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::gate::{self, Entered, Needs};
use super::{Answered, Incoming, Stop};
use crate::answer::{self, GraphCall, Refusal};
use crate::directory::Mailbox;
use crate::kind::{Call, Kind};
use crate::message::Mail;
use crate::rewrite;
use crate::scripted::Script;
use crate::shared::Shared;
use crate::{delivery, json, mime, recipient};

pub(super) async fn send_mail(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    incoming: Incoming,
) -> Answered {
    if address.trim().is_empty() {
        let message = "Specified HTTP method is not allowed for the request target.";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message).into());
    }
    let entered = gate::enter(shared, call, address, Needs::SendMail, incoming).await?;
    let mailbox = entered.mailbox().ok_or_else(gone)?;
    let mail = match form(&entered.headers)? {
        Form::Mime => mime::read(&entered.body, mailbox, call.now)?,
        Form::Json => {
            let mail = json::read(&entered.body, mailbox, call.now)?;
            shared.headers.learn(&mail);
            mail
        }
    };
    go(shared, call, &entered, mail, None).await
}

/// The way in which a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Mime,
    Json,
}

pub(super) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/plain" => Ok(Form::Mime),
        "application/json" => Ok(Form::Json),
        _ => {
            let message = "Content-Type must be application/json, or text/plain for MIME content.";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message))
        }
    }
}

/// The last checks, and the mail is on its way: recipients, the right to its From, its size, the mailbox's room. Sent, a
/// `draft` is one no more; refused, or lost on the way, it is still there.
pub(super) async fn go(
    shared: &Shared,
    call: &GraphCall,
    entered: &Entered,
    mail: Mail,
    draft: Option<&str>,
) -> Answered {
    let mailbox = entered.mailbox().ok_or_else(gone)?;
    recipient::check(&mail.recipients)?;
    may_send(mailbox, &mail)?;
    if mail.size > mailbox.message_bytes_max {
        let message = "The message exceeds the maximum supported size.";
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "ErrorMessageSizeExceeded", message).into());
    }
    let scope = entered.scope();
    let is = |wanted: Kind| move |kind: Kind| kind == wanted;
    if shared.scenarios.take(&scope, Call::SendMail, call.now, is(Kind::MailboxFull)).is_some() {
        let message = "Mailbox has exceeded maximum mailbox size.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "ErrorQuotaExceeded", message).into());
    }
    let in_flight = Some(&entered.in_flight);
    let script = Script { shared, call, scope: &scope, kind: Call::SendMail, in_flight };
    let mail = rewrite::by_exchange(&script, mailbox, mail);
    deliver(&script, mail, draft).await
}

fn may_send(mailbox: &Mailbox, mail: &Mail) -> Result<(), Refusal> {
    let is_own = |from: &str| {
        let mut allowed = mailbox.send_as.iter().chain([&mailbox.address]);
        allowed.any(|address| address.to_lowercase() == from.to_lowercase())
    };
    match mail.claimed_from.as_ref().filter(|from| !is_own(from)) {
        None => Ok(()),
        Some(from) => {
            tracing::info!(from, mailbox = mailbox.address, "no right to send as");
            let message = "The user account which was used to submit this request does not have the right to send \
                           mail on behalf of the specified sending account. Cannot submit message.";
            Err(Refusal::new(StatusCode::FORBIDDEN, "ErrorSendAsDenied", message))
        }
    }
}

/// Stores the mail and says 202, unless a script has another end for it.
async fn deliver(script: &Script<'_>, mail: Mail, draft: Option<&str>) -> Answered {
    let outcome = script.outcome();
    if outcome.as_ref().is_none_or(|outcome| outcome.delivered) {
        script.shared.breaches.accepted(&mail.mailbox, script.call.now);
        let delivery = delivery::of(script, &mail);
        tracing::info!(mailbox = mail.mailbox, message_id = mail.internet_message_id, "mail accepted");
        if let Some(id) = draft {
            script.shared.drafts.delete(&mail.mailbox, id)?;
        }
        script.shared.mails.store(Mail { delivery, ..mail });
    }
    match outcome {
        None => Ok(answer::accepted()),
        Some(outcome) => script.play(&outcome).await.map_err(Stop::from),
    }
}

/// The mailbox was there a moment ago.
pub(super) fn gone() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "ErrorNonExistentMailbox", "The mailbox is not there any more.")
}

/// Nothing is in the answer's body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
