//! Protobuf's JSON, by the descriptors that reflection serves too; and a status in Google's form of an error.

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::convert::to_proto;
use crate::status::Refusal;

/// What an answer is made of.
pub(super) type Answer = (StatusCode, HeaderMap, String);

#[derive(Clone)]
pub(crate) struct Codec(DescriptorPool);

impl Codec {
    pub(crate) fn new() -> Result<Self, DescriptorError> {
        DescriptorPool::decode(postrider_proto::FILE_DESCRIPTOR_SET).map(Self)
    }

    /// Names in either spelling; what is unknown is refused.
    pub(crate) fn read<M: prost::Message + Default>(&self, name: &str, body: &[u8]) -> Result<M, Refusal> {
        let of = self.of(&format!("postrider.v1.{name}"))?;
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = DynamicMessage::deserialize(of, &mut json).and_then(|read| json.end().map(|()| read));
        let read = read.map_err(|error| Refusal::NotTheJson { of: name.to_owned(), place: place(&error) })?;
        read.transcode_to().map_err(Refusal::internal)
    }

    pub(super) fn answer<M: prost::Message>(&self, name: &str, answer: &M) -> Answer {
        match self.value(&format!("postrider.v1.{name}"), answer) {
            Ok(value) => whole(StatusCode::OK, &value),
            Err(refusal) => self.error(&refusal.into_status(crate::status::CallId::fresh())),
        }
    }

    /// `{"error": {"code", "status", "message", "details"}}`.
    pub(super) fn error(&self, status: &Status) -> Answer {
        let (code, name) = google(status.code());
        let details = self.value("google.rpc.Status", &to_proto::rpc_status(status)).unwrap_or_default();
        let details = details.get("details").cloned().unwrap_or_else(|| json!([]));
        let error = json!({"error": {
            "code": code.as_u16(), "status": name, "message": status.message(), "details": details,
        }});
        let (code, mut headers, body) = whole(code, &error);
        if code == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = status.get_details_retry_info().and_then(|info| info.retry_delay) {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        (code, headers, body)
    }

    fn value<M: prost::Message>(&self, name: &str, message: &M) -> Result<Value, Refusal> {
        let mut dynamic = DynamicMessage::new(self.of(name)?);
        dynamic.transcode_from(message).map_err(Refusal::internal)?;
        serde_json::to_value(&dynamic).map_err(Refusal::internal)
    }

    fn of(&self, name: &str) -> Result<MessageDescriptor, Refusal> {
        let found = self.0.get_message_by_name(name);
        found.ok_or_else(|| Refusal::internal(format!("{name} is not among the descriptors")))
    }
}

/// Where it could not be read. What stands there may be a secret and is not told, but for a name that is not ours.
fn place(error: &serde_json::Error) -> String {
    const UNKNOWN: &str = "unrecognized field name";
    let (line, column) = (error.line(), error.column());
    let is_unknown = error.to_string().starts_with(UNKNOWN);
    let what = if is_unknown { ", where a field is unknown" } else { "" };
    format!("line {line}, column {column}{what}")
}

fn whole(code: StatusCode, value: &Value) -> Answer {
    let json: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (code, HeaderMap::from_iter([json]), format!("{value}\n"))
}

/// By the comments of google.rpc.Code.
fn google(code: Code) -> (StatusCode, &'static str) {
    let (http, name) = match code {
        Code::Ok => (200, "OK"),
        Code::Cancelled => (499, "CANCELLED"),
        Code::Unknown => (500, "UNKNOWN"),
        Code::InvalidArgument => (400, "INVALID_ARGUMENT"),
        Code::DeadlineExceeded => (504, "DEADLINE_EXCEEDED"),
        Code::NotFound => (404, "NOT_FOUND"),
        Code::AlreadyExists => (409, "ALREADY_EXISTS"),
        Code::PermissionDenied => (403, "PERMISSION_DENIED"),
        Code::ResourceExhausted => (429, "RESOURCE_EXHAUSTED"),
        Code::FailedPrecondition => (400, "FAILED_PRECONDITION"),
        Code::Aborted => (409, "ABORTED"),
        Code::OutOfRange => (400, "OUT_OF_RANGE"),
        Code::Unimplemented => (501, "UNIMPLEMENTED"),
        Code::Internal => (500, "INTERNAL"),
        Code::Unavailable => (503, "UNAVAILABLE"),
        Code::DataLoss => (500, "DATA_LOSS"),
        Code::Unauthenticated => (401, "UNAUTHENTICATED"),
    };
    (StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), name)
}

#[cfg(test)]
mod tests {
    use postrider_proto::v1;

    use super::*;

    fn read(text: &str) -> Result<v1::SendMailRequest, Refusal> {
        Codec::new().unwrap().read("SendMailRequest", text.as_bytes())
    }

    #[test]
    fn both_spellings_are_read() {
        let both =
            read(r#"{"requestId": "a", "wait_for": "WAIT_FOR_SENT", "email": {"replyTo": []}}"#).unwrap();
        assert_eq!((both.request_id.as_str(), both.wait_for()), ("a", v1::WaitFor::Sent));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place_and_not_by_what_stands_there() {
        for (text, told) in [
            ("", "line 1, column 0"),
            ("{\n\"subject\": 1}", "line 2, column 9, where a field is unknown"),
            (r#"{"validateOnly": "hunter2"}"#, "line 1, column 26"),
            (r"{} {}", "line 1, column 4"),
        ] {
            match read(text) {
                Err(Refusal::NotTheJson { place, .. }) => assert_eq!(place, told, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
