//! An email as it is stored: the API's own `Email`, serialized. Nobody else looks into it.

use bytes::Bytes;
use postrider_domain::{Email, EmailAddress};
use postrider_proto::v1;
use prost::Message as _;

use super::from_proto;
use crate::status::Refusal;

/// The content of a request, if it is within the limit. That there is an email is looked at with the other fields.
pub(crate) fn of_request(request: &v1::SendMailRequest, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = request.email.as_ref().map_or(0, prost::Message::encoded_len);
    if bytes > bytes_max {
        return Err(Refusal::RequestTooLarge { limit_bytes: bytes_max });
    }
    Ok(request.email.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default())
}

/// A plain mail of our own, and its content.
pub(crate) fn letter(to: &EmailAddress, subject: &str, text: String) -> Option<(Email, Vec<u8>)> {
    let wire = v1::Email {
        to: vec![v1::Address { address: to.to_string(), display_name: String::new() }],
        subject: subject.to_owned(),
        text,
        ..v1::Email::default()
    };
    let content = wire.encode_to_vec();
    decode(content.clone().into()).map(|email| (email, content))
}

/// `None`: it is damaged, since it was looked at when it was stored. Attachments stay where they lie.
pub(crate) fn decode(content: Bytes) -> Option<Email> {
    from_proto::stored_email(v1::Email::decode(content).ok()?).ok()
}
