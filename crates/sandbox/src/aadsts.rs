//! Entra's refusals: one AADSTS number, one text, one status each, in the body that Entra writes.
//!
//! The texts are wire strings. A client may decide by `error` and explain by
//! `error_codes`; the trace id, correlation id and time are what Microsoft's support asks for.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::http_date;

/// The ids of one call to Entra; its bodies call the first one "trace_id".
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) request_id: Uuid,
    pub(crate) correlation_id: Uuid,
    pub(crate) now: Timestamp,
}

/// A refusal before it is bound to a call.
#[derive(Debug)]
pub(crate) struct Aadsts {
    number: u32,
    status: StatusCode,
    error: Cow<'static, str>,
    text: String,
}

impl Aadsts {
    fn new(number: u32, status: StatusCode, error: &'static str, text: String) -> Aadsts {
        Aadsts { number, status, error: error.into(), text }
    }

    fn bad_request(number: u32, text: String) -> Aadsts {
        Aadsts::new(number, StatusCode::BAD_REQUEST, "invalid_request", text)
    }

    fn invalid_client(number: u32, text: String) -> Aadsts {
        Aadsts::new(number, StatusCode::UNAUTHORIZED, "invalid_client", text)
    }

    fn unauthorized_client(number: u32, text: String) -> Aadsts {
        Aadsts::new(number, StatusCode::BAD_REQUEST, "unauthorized_client", text)
    }

    pub(crate) fn only_post(method: &str) -> Aadsts {
        Aadsts::bad_request(
            900_561,
            format!("The endpoint only accepts POST requests. Received a {method} request."),
        )
    }

    pub(crate) fn parameter_missing(name: &str) -> Aadsts {
        Aadsts::bad_request(
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        )
    }

    pub(crate) fn malformed() -> Aadsts {
        Aadsts::bad_request(9_002_313, "Invalid request. Request is malformed or invalid.".to_owned())
    }

    pub(crate) fn grant_type_unsupported(grant_type: &str) -> Aadsts {
        let text = format!("The app requested an unsupported grant type '{grant_type}'.");
        Aadsts::new(70_003, StatusCode::BAD_REQUEST, "unsupported_grant_type", text)
    }

    pub(crate) fn not_over_common() -> Aadsts {
        let text = "The grant type is not supported over the /common or /consumers endpoints. Please use the \
                    /organizations or tenant-specific endpoint.";
        Aadsts::bad_request(9_001_023, text.to_owned())
    }

    pub(crate) fn tenant_malformed(tenant: &str) -> Aadsts {
        let text = format!(
            "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
        );
        Aadsts::bad_request(900_023, text)
    }

    pub(crate) fn tenant_unknown(tenant: &str) -> Aadsts {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
             correct cloud. Check with your subscription administrator, this may happen if there are no active \
             subscriptions for the tenant."
        );
        Aadsts::bad_request(90_002, text)
    }

    /// The discovery document says the same with another `error`.
    pub(crate) fn in_discovery(self) -> Aadsts {
        Aadsts { error: "invalid_tenant".into(), ..self }
    }

    pub(crate) fn app_unknown(client_id: &str, tenant: &str) -> Aadsts {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user \
             in the tenant. You may have sent your authentication request to the wrong tenant."
        );
        Aadsts::unauthorized_client(700_016, text)
    }

    pub(crate) fn service_principal_missing(client_id: &str, tenant: &str) -> Aadsts {
        let text = format!(
            "The client application {client_id} is missing service principal in the tenant {tenant}. See instructions \
             here: https://go.microsoft.com/fwlink/?linkid=2225119"
        );
        Aadsts::unauthorized_client(7_000_229, text)
    }

    pub(crate) fn app_disabled(client_id: &str) -> Aadsts {
        Aadsts::unauthorized_client(7_000_112, format!("Application '{client_id}'(Mailer) is disabled."))
    }

    pub(crate) fn scope_invalid(scope: &str) -> Aadsts {
        let text = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
             /.default suffixed to the resource identifier (application ID URI)."
        );
        Aadsts::new(1_002_012, StatusCode::BAD_REQUEST, "invalid_scope", text)
    }

    pub(crate) fn credential_missing() -> Aadsts {
        let text =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        Aadsts::invalid_client(7_000_218, text.to_owned())
    }

    pub(crate) fn assertion_malformed(why: &str) -> Aadsts {
        Aadsts::invalid_client(50_027, format!("JWT token is invalid or malformed. {why}"))
    }

    pub(crate) fn subject_is_not_issuer() -> Aadsts {
        Aadsts::invalid_client(50_048, "Subject must match Issuer claim in the client assertion.".to_owned())
    }

    pub(crate) fn assertion_untimely(now: Timestamp, from: i64, until: i64) -> Aadsts {
        let time = |seconds| Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default();
        let text = format!(
            "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {}, expiry \
             time of assertion {}. Review the documentation at https://go.microsoft.com/fwlink/?linkid=2173914",
            time(from),
            time(until)
        );
        Aadsts::invalid_client(700_024, text)
    }

    /// `reason` as Entra words it, such as "The key was not found."
    pub(crate) fn assertion_unproven(client_id: &str, reason: &str) -> Aadsts {
        let text = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. \
             [Reason - {reason}, Please visit the Azure Portal and find the app '{client_id}'.]"
        );
        Aadsts::invalid_client(700_027, text)
    }

    pub(crate) fn subject_name_refused() -> Aadsts {
        let text = "Invalid certificate - subject name in certificate is not authorized.";
        Aadsts::invalid_client(700_030, text.to_owned())
    }

    /// `number` tells which part did not fit: none at all, the issuer, the audience, the subject.
    pub(crate) fn not_federated(number: u32, part: &str, presented: &str) -> Aadsts {
        let text = format!(
            "No matching federated identity record found for presented assertion{part} '{presented}'. Please check your \
             federated identity credential Subject, Audience and Issuer against the presented assertion. \
             https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
        );
        Aadsts::bad_request(number, text)
    }

    pub(crate) fn assertion_not_signed() -> Aadsts {
        let text = "Assertion failed signature validation. [Reason - The provided signature value did not match the \
                    expected signature value.]";
        Aadsts::new(50_013, StatusCode::UNAUTHORIZED, "invalid_grant", text.to_owned())
    }

    /// Whatever a scenario says.
    pub(crate) fn scripted(number: u32, status: StatusCode, error: &str, text: String) -> Aadsts {
        Aadsts { number, status, error: error.to_owned().into(), text }
    }

    pub(crate) fn secret_wrong(client_id: &str) -> Aadsts {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
             not the client secret ID, for a secret added to app '{client_id}'."
        );
        Aadsts::invalid_client(7_000_215, text)
    }

    pub(crate) fn secret_expired(client_id: &str) -> Aadsts {
        let text = format!(
            "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new \
             keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added \
             security: https://aka.ms/certCreds."
        );
        Aadsts::invalid_client(7_000_222, text)
    }

    pub(crate) fn conditional_access() -> Aadsts {
        let text = "Access has been blocked by Conditional Access policies. The access policy does not allow token \
                    issuance.";
        Aadsts::new(53_003, StatusCode::BAD_REQUEST, "invalid_grant", text.to_owned())
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn answer(&self, trace: &Trace) -> Response {
        let Aadsts { number, status, error, text } = self;
        let timestamp = trace.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let (trace_id, correlation_id) = (trace.request_id, trace.correlation_id);
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{number}: {text} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
            ),
            "error_codes": [number],
            "timestamp": timestamp,
            "trace_id": trace_id.to_string(),
            "correlation_id": correlation_id.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        });
        (*status, Json(body)).into_response()
    }
}

impl Trace {
    /// The headers that every answer of Entra carries.
    pub(crate) fn dress(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let fixed = [
            (header::CACHE_CONTROL, "no-store, no-cache"),
            (header::PRAGMA, "no-cache"),
            (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("x-ms-ests-server"), "2.1.0000.0 - SANDBOX ProdSlices"),
        ];
        if let Ok(date) = HeaderValue::from_str(&http_date(self.now)) {
            headers.insert(header::DATE, date);
        }
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, id) in [("x-ms-request-id", self.request_id), ("client-request-id", self.correlation_id)] {
            if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
