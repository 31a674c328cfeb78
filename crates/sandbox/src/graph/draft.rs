//! Drafts: made, given their files, sent, deleted. All but the sending needs `Mail.ReadWrite`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::gate::{self, Needs};
use super::send::{self, Form, form, gone};
use super::{Answered, Incoming, representation};
use crate::answer::GraphCall;
use crate::shared::Shared;
use crate::{file, json, mime};

pub(super) async fn create(shared: &Shared, call: &GraphCall, address: &str, incoming: Incoming) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::ReadWrite, incoming).await?;
    let mailbox = entered.mailbox().ok_or_else(gone)?;
    let mail = match form(&entered.headers)? {
        Form::Mime => mime::read(&entered.body, mailbox, call.now)?,
        Form::Json => {
            let mail = json::read_draft(&entered.body, mailbox, call.now)?;
            shared.headers.learn(&mail);
            mail
        }
    };
    let origin = shared.origin(&entered.headers);
    let draft = shared.drafts.create(mail);
    let shown = representation::of_draft(&draft);
    let location = format!("{origin}/v1.0/users('{}')/messages('{}')", draft.mail.mailbox, draft.id);
    Ok(located((StatusCode::CREATED, Json(shown)).into_response(), &location))
}

pub(super) async fn attach(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::ReadWrite, incoming).await?;
    let mailbox = &entered.mailbox().ok_or_else(gone)?.address;
    let file = file::read_attachment(&entered.body)?;
    let shown = representation::of_file(&file);
    let file_id = file.id.clone();
    shared.drafts.attach(mailbox, id, file)?;
    let response = (StatusCode::CREATED, Json(shown)).into_response();
    Ok(created_file(response, &shared.origin(&entered.headers), (mailbox, id, &file_id)))
}

pub(super) async fn send(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::SendMail, incoming).await?;
    let mailbox = entered.mailbox().ok_or_else(gone)?.address.clone();
    let mail = shared.drafts.get(&mailbox, id)?.assembled(call.now);
    send::go(shared, call, &entered, mail, Some(id)).await
}

pub(super) async fn delete(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::ReadWrite, incoming).await?;
    let mailbox = &entered.mailbox().ok_or_else(gone)?.address;
    shared.drafts.delete(mailbox, id)?;
    Ok(send::empty(StatusCode::NO_CONTENT))
}

/// The answer with the new file's `Location`: mailbox, draft and file by their ids.
pub(super) fn created_file(
    response: Response,
    origin: &str,
    (mailbox, draft, file): (&str, &str, &str),
) -> Response {
    let location = format!("{origin}/v1.0/users('{mailbox}')/messages('{draft}')/attachments('{file}')");
    located(response, &location)
}

fn located(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
