//! Entra: the discovery document and the token endpoint for client credentials.
//!
//! The checks run in the order of docs/sandbox.md (Microsoft has not published its own), and the first
//! that fails answers. A token is issued even to an app without any permission; it is Graph that refuses it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::json;
use uuid::Uuid;

use crate::aadsts::{Aadsts, Trace};
use crate::assertion::Endpoint;
use crate::body::{self, Received};
use crate::credential::TokenForm;
use crate::directory::{App, Known, is_tenant_name};
use crate::kind::{Call, Kind};
use crate::scenario::Scope;
use crate::scripted;
use crate::shared::{Shared, SharedState};
use crate::token::{self, Claims};
use crate::{clock, limits};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(|| async { Json(json!({"keys": []})) }))
        .route("/{tenant}/oauth2/v2.0/token", any(token_endpoint))
}

async fn discovery(State(shared): SharedState, Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    let trace = trace(&headers);
    let response = match find_tenant(&shared, &tenant) {
        Ok(known) => Json(document(&shared.origin(&headers), &known)).into_response(),
        Err(refusal) => refusal.in_discovery().answer(&trace),
    };
    trace.dress(response)
}

fn document(origin: &str, known: &Known) -> serde_json::Value {
    let tenant_id = known.tenant_id;
    json!({
        "token_endpoint": format!("{origin}/{tenant_id}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{origin}/{tenant_id}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("https://login.microsoftonline.com/{tenant_id}/v2.0"),
        "authorization_endpoint": format!("{origin}/{tenant_id}/oauth2/v2.0/authorize"),
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": known.directory.graph_host.as_deref().unwrap_or("graph.microsoft.com"),
    })
}

async fn token_endpoint(
    State(shared): SharedState,
    Path(tenant): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut trace = trace(&headers);
    let form = match body::read(body, limits::TOKEN_REQUEST_BYTES_MAX).await {
        Received::Whole(bytes) => TokenForm::read(&headers, &bytes),
        Received::TooLarge | Received::Broken => None,
    };
    let result = if method == Method::POST {
        answer(&shared, &tenant, &headers, form.as_ref(), &mut trace).await
    } else {
        Err(Aadsts::only_post(method.as_str()))
    };
    let response = result.unwrap_or_else(|refusal| {
        tracing::info!(tenant, aadsts = refusal.number(), "token refused");
        refusal.answer(&trace)
    });
    trace.dress(response)
}

async fn answer(
    shared: &Shared,
    tenant: &str,
    headers: &HeaderMap,
    form: Option<&TokenForm>,
    trace: &mut Trace,
) -> Result<Response, Aadsts> {
    let form = form.ok_or_else(Aadsts::malformed)?;
    let grant_type = form.get("grant_type").ok_or_else(|| Aadsts::parameter_missing("grant_type"))?;
    let known = find_tenant(shared, tenant)?;
    let scope = Scope { known: &known, mailbox: None };
    if let Some(response) = scripted::token_outage(shared, &scope).await? {
        return Ok(response);
    }
    trace.now = shared.scenarios.entras_time(&scope, trace.now);
    if grant_type != "client_credentials" {
        return Err(Aadsts::grant_type_unsupported(grant_type));
    }
    let client_id = form.client_id().ok_or_else(|| Aadsts::parameter_missing("client_id"))?;
    let app = find_app(&known, client_id, tenant)?;
    let wanted = form.get("scope").ok_or_else(|| Aadsts::parameter_missing("scope"))?;
    let origin = shared.origin(headers);
    let own_origin = Some(origin.as_str()).filter(|_| !shared.is_strict());
    let audience = token::audience(wanted, own_origin).ok_or_else(|| Aadsts::scope_invalid(wanted))?;
    let expired_since = shared.scenarios.secret_end(&scope, &app.client_id, trace.now);
    let endpoint = Endpoint { origin: &origin, tenant };
    let appidacr = form.prove(app, &known, &endpoint, expired_since, trace.now)?;
    if app.conditional_access_blocked {
        return Err(Aadsts::conditional_access());
    }
    Ok(issue(shared, &scope, app, (audience, appidacr)))
}

fn find_tenant(shared: &Shared, tenant: &str) -> Result<Arc<Known>, Aadsts> {
    if ["common", "consumers", "organizations"].contains(&tenant.to_ascii_lowercase().as_str()) {
        return Err(Aadsts::not_over_common());
    }
    if !is_tenant_name(tenant) {
        return Err(Aadsts::tenant_malformed(tenant));
    }
    shared.directories.find(tenant).ok_or_else(|| Aadsts::tenant_unknown(tenant))
}

fn find_app<'a>(known: &'a Known, client_id: &str, tenant: &str) -> Result<&'a App, Aadsts> {
    let app = known.app(client_id).ok_or_else(|| Aadsts::app_unknown(client_id, tenant))?;
    if !app.service_principal {
        return Err(Aadsts::service_principal_missing(client_id, tenant));
    }
    if !app.enabled {
        return Err(Aadsts::app_disabled(client_id));
    }
    Ok(app)
}

/// Graph keeps its own time: a token lives from now on, whatever Entra's clock is said to be.
fn issue(shared: &Shared, scope: &Scope<'_>, app: &App, (audience, appidacr): (&str, &str)) -> Response {
    let now = clock::now();
    let scripted = |kind| shared.scenarios.take(scope, Call::Token, now, |found| found == kind).is_some();
    let mut roles = if app.consented { app.roles.clone() } else { Vec::new() };
    if scripted(Kind::TokenWithoutRoles) {
        roles.clear();
    }
    // Why: the right to send lies in Exchange then; the call to Graph uses the scenario up, not the token.
    if shared.scenarios.is_active(scope, Call::Token, now, Kind::RbacOnly) {
        roles.retain(|role| role != "Mail.Send");
    }
    let claims = Claims::new(scope.known, app, audience, roles, appidacr, now);
    let written = if scripted(Kind::OpaqueToken) { claims.to_opaque() } else { claims.to_jwt() };
    let Ok(access_token) = written else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    tracing::info!(tenant_id = %scope.known.tenant_id, client_id = app.client_id, "token issued");
    let lifetime = app.token_lifetime_seconds;
    let body = json!({
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": access_token,
    });
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

fn trace(headers: &HeaderMap) -> Trace {
    let given = headers
        .get("client-request-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| Uuid::try_parse(id).ok());
    Trace {
        request_id: Uuid::new_v4(),
        correlation_id: given.unwrap_or_else(Uuid::new_v4),
        now: clock::now(),
    }
}
