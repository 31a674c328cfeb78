//! Graph's answers: the error body, the headers that every answer carries, and the empty 202.

use std::borrow::Cow;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;
use uuid::Uuid;

const DIAGNOSTIC: &str = r#"{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"SANDBOX0001"}}"#;

/// A refusal of Graph's, in its usual JSON.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) retry_after: Option<String>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Refusal {
        Refusal { status, code: code.into(), message: message.into(), retry_after: None }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn access_denied() -> Refusal {
        let message = "Access is denied. Check credentials and try again.";
        Refusal::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", message)
    }

    pub(crate) fn raop_denied() -> Refusal {
        let message = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings.";
        Refusal::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", message)
    }

    pub(crate) fn mailbox_concurrency(retry_after: Option<String>) -> Refusal {
        let message = "Application is over its MailboxConcurrency limit.";
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "ApplicationThrottled", message);
        Refusal { retry_after, ..refusal }
    }

    pub(crate) fn too_large() -> Refusal {
        let message = "The maximum request length supported is 4MB.";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BadRequest", message)
    }
}

/// The ids of one call to Graph.
#[derive(Debug)]
pub(crate) struct GraphCall {
    request_id: Uuid,
    client_request_id: String,
    pub(crate) now: Timestamp,
}

impl GraphCall {
    pub(crate) fn new(headers: &HeaderMap, now: Timestamp) -> GraphCall {
        let request_id = Uuid::new_v4();
        let given = headers.get("client-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        GraphCall { request_id, client_request_id: given.unwrap_or_else(|| request_id.to_string()), now }
    }

    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response {
        tracing::info!(status = refusal.status.as_u16(), code = %refusal.code, request_id = %self.request_id, "refused");
        let inner = json!({
            "date": self.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": self.request_id.to_string(),
            "client-request-id": self.client_request_id,
        });
        let body = json!({"error": {"code": refusal.code, "message": refusal.message, "innerError": inner}});
        let mut response = (refusal.status, Json(body)).into_response();
        if let Some(value) = refusal.retry_after.as_ref().and_then(|value| HeaderValue::from_str(value).ok())
        {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }

    /// The headers of every answer of Graph's, a gateway's plain ones included.
    pub(crate) fn dress(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let fixed = [
            (header::CACHE_CONTROL, "private"),
            (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
            (HeaderName::from_static("x-ms-ags-diagnostic"), DIAGNOSTIC),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let request_id = self.request_id.to_string();
        let own = [
            (HeaderName::from_static("request-id"), request_id.as_str()),
            (HeaderName::from_static("client-request-id"), self.client_request_id.as_str()),
            (header::DATE, &http_date(self.now)),
        ];
        for (name, value) in own {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// 202, `Content-Length: 0`, and nothing else: no id, no Message-ID, no Location.
pub(crate) fn accepted() -> Response {
    (StatusCode::ACCEPTED, [(header::CONTENT_LENGTH, "0")], Body::empty()).into_response()
}

pub(crate) fn http_date(time: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}
