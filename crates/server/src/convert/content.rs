//! An email as it is stored: the API's own `Email`, serialized, and where its trace came from. Nobody else looks into it.

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
        return Err(Refusal::RequestTooLarge { what: "an email", limit_bytes: bytes_max });
    }
    Ok(request.email.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default())
}

/// What stands beside the fields of the `Email`: a request that had it would have lost it when it was read.
#[derive(prost::Message)]
struct Beside {
    /// The `traceparent` of the call that it was accepted by.
    #[prost(string, tag = "10000")]
    origin: String,
}

/// The content with the trace that it came by.
pub(crate) fn with_origin(mut content: Vec<u8>, origin: Option<String>) -> Vec<u8> {
    if let Some(origin) = origin {
        content.extend(Beside { origin }.encode_to_vec());
    }
    content
}

pub(crate) fn origin(content: &Bytes) -> Option<String> {
    let beside = Beside::decode(content.clone()).ok()?;
    Some(beside.origin).filter(|origin| !origin.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_mail_came_from_stands_beside_it_and_changes_nothing_of_it() {
        let to = EmailAddress::parse("ann@customer.example").unwrap();
        let (email, content) = letter(&to, "Hello", "text".to_owned()).unwrap();
        assert_eq!(with_origin(content.clone(), None), content);
        let with = Bytes::from(with_origin(content, Some("00-aa-bb-01".to_owned())));
        assert_eq!(origin(&with).as_deref(), Some("00-aa-bb-01"));
        assert_eq!(decode(with), Some(email));
        assert_eq!(origin(&Bytes::from_static(b"\xff damaged")), None);
    }
}
