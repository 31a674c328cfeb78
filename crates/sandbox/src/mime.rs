//! A mail sent as MIME: base64 of the whole RFC 5322 message. There is no envelope; its To, Cc and Bcc are the
//! recipients. Its From is not looked at: Exchange puts the mailbox's own address there.

use axum::body::Bytes;
use data_encoding::BASE64;
use jiff::Timestamp;
use mail_parser::{HeaderName, Message, MessageParser};

use crate::answer::Refusal;
use crate::delivery::Delivery;
use crate::directory::Mailbox;
use crate::message::{Mail, new_message_id};

pub(crate) fn read(body: &Bytes, mailbox: &Mailbox, now: Timestamp) -> Result<Mail, Refusal> {
    let raw = decode(body).ok_or_else(|| {
        Refusal::bad_request("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
    })?;
    let invalid = || Refusal::bad_request("ErrorMimeContentInvalid", "The MIME content is invalid.");
    let message = MessageParser::default().parse(&raw).filter(has_header).ok_or_else(invalid)?;
    let internet_message_id = message.message_id().map_or_else(new_message_id, |id| format!("<{id}>"));
    let subject = message.subject().unwrap_or_default().to_owned();
    let recipients = recipients(&message);
    Ok(Mail {
        mailbox: mailbox.address.clone(),
        internet_message_id,
        subject,
        recipients,
        claimed_from: None,
        size: size(&message),
        is_saved: true,
        time: now,
        delivery: Delivery::at(now),
        raw: raw.into(),
    })
}

fn decode(body: &Bytes) -> Option<Vec<u8>> {
    let decoded = BASE64.decode(body).ok().or_else(|| {
        let dense: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64.decode(&dense).ok()
    });
    decoded.filter(|raw| !raw.is_empty())
}

/// Its parts as they are once decoded.
fn size(message: &Message<'_>) -> usize {
    message.parts.iter().map(|part| if part.is_multipart() { 0 } else { part.len() }).sum()
}

fn has_header(message: &Message<'_>) -> bool {
    !message.headers().is_empty()
}

fn recipients(message: &Message<'_>) -> Vec<String> {
    let headers =
        |name: HeaderName<'static>| message.headers().iter().filter(move |header| header.name == name);
    [HeaderName::To, HeaderName::Cc, HeaderName::Bcc]
        .into_iter()
        .flat_map(headers)
        .filter_map(|header| header.value.as_address())
        .flat_map(mail_parser::Address::iter)
        .map(|addr| addr.address().or(addr.name()).unwrap_or_default().to_owned())
        .collect()
}
