//! Whether Graph takes the access token that a request shows: its shape, its time, its audience, its directory.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::answer::Refusal;
use crate::directory::{Directories, Known};
use crate::token::Claims;

/// The app that a valid token speaks for.
pub(crate) struct Bearer {
    pub(crate) claims: Claims,
    pub(crate) known: Arc<Known>,
}

pub(crate) fn authorize(
    headers: &HeaderMap,
    directories: &Directories,
    now: Timestamp,
) -> Result<Bearer, Refusal> {
    let claims = token(headers)
        .and_then(Claims::read)
        .ok_or_else(|| invalid_token("CompactToken parsing failed with error code: 80049217"))?;
    if claims.exp <= now.as_second() {
        return Err(invalid_token("CompactToken validation failed with reason code: 80049228."));
    }
    if !claims.is_for_graph() {
        return Err(invalid_token("Access token validation failure. Invalid audience."));
    }
    let known = directories.find(&claims.tid).ok_or_else(|| {
        let message = format!("The tenant for tenant guid '{}' does not exist.", claims.tid);
        Refusal::new(StatusCode::UNAUTHORIZED, "OrganizationFromTenantGuidNotFound", message)
    })?;
    Ok(Bearer { claims, known })
}

/// What a token without any permission meets, before Graph looks at what it wanted.
pub(crate) fn no_permissions() -> Refusal {
    let message = "The token contains no permissions, or permissions can not be understood.";
    Refusal::new(StatusCode::UNAUTHORIZED, "NoPermissionsInAccessToken", message)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn invalid_token(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
}
