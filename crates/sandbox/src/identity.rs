//! The managed identities of "this machine", as the metadata service of a virtual machine gives them out, and as App
//! Service does. Their tokens are assertions that an app may trust: issuer
//! `https://login.microsoftonline.com/{tenant}/v2.0`, subject the identity's object id, audience as asked for.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::shared::{Shared, SharedState};

const LIFE_SECONDS: i64 = 24 * 3_600;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/metadata/identity/oauth2/token", get(metadata))
        .route("/msi/token", get(app_service))
}

async fn metadata(state: SharedState, headers: HeaderMap, query: Query<HashMap<String, String>>) -> Response {
    let is_meant =
        headers.get("metadata").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    if !is_meant {
        return refuse("invalid_request", "Required metadata header not specified");
    }
    token(&state, "2018-02-01", &query)
}

async fn app_service(
    state: SharedState,
    headers: HeaderMap,
    query: Query<HashMap<String, String>>,
) -> Response {
    if !headers.contains_key("x-identity-header") {
        return refuse("invalid_request", "The header X-IDENTITY-HEADER is missing");
    }
    token(&state, "2019-08-01", &query)
}

fn token(State(shared): &SharedState, version: &str, query: &HashMap<String, String>) -> Response {
    let asked = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let resource = asked("resource");
    if asked("api-version") != version || resource.is_empty() || resource.ends_with("/.default") {
        return refuse("invalid_request", "api-version or resource is missing or wrong");
    }
    let wanted = asked("client_id");
    let directories = shared.directories.all();
    let found = directories.iter().find_map(|known| {
        let mut own = known.directory.managed_identities.iter();
        own.find(|identity| identity.client_id.eq_ignore_ascii_case(wanted)).map(|own| (known, own))
    });
    let Some((known, identity)) = found else { return refuse("invalid_request", "Identity not found") };
    let (now, tenant_id) = (clock::now().as_second(), known.tenant_id);
    let claims = json!({
        "aud": resource,
        "iss": format!("https://login.microsoftonline.com/{tenant_id}/v2.0"),
        "sub": identity.object_id,
        "oid": identity.object_id,
        "appid": identity.client_id,
        "tid": tenant_id.to_string(),
        "nbf": now,
        "iat": now,
        "exp": now + LIFE_SECONDS,
        "uti": Uuid::new_v4().to_string(),
    });
    let encoded = |part: &serde_json::Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "sandbox"});
    let unsigned = BASE64URL_NOPAD.encode(b"unsigned: made by the sandbox of Postrider");
    Json(json!({
        "access_token": format!("{}.{}.{unsigned}", encoded(&header), encoded(&claims)),
        "client_id": identity.client_id,
        "expires_in": LIFE_SECONDS.to_string(),
        "expires_on": (now + LIFE_SECONDS).to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    }))
    .into_response()
}

fn refuse(error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
