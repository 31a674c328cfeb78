//! `CreateKey`, `ListKeys`, `RevokeKey`: a bound key creates, sees and revokes only within its resellers.

use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{HeaderText, ResellerId, Violations, limits};
use postrider_proto::v1;
use postrider_store::{AccessKey, KeyId};
use secrecy::ExposeSecret as _;

use crate::access::{Caller, Minted};
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn create_key(
    app: Arc<App>,
    call: Authorised<v1::CreateKeyRequest>,
) -> Result<v1::CreateKeyResponse, Refusal> {
    let now = app.clock.now();
    let minted = app.access.mint()?;
    let key = new_key(&call.request, &minted, now)?;
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let expiry = key.expire_time.map(|time| time.to_string()).unwrap_or_default();
    let details = [("key_id", key.id.as_str()), ("scopes", &scopes.join(",")), ("expire_time", &expiry)];
    let act = call.origin.act(&key.resellers, &details);
    app.store.clone().by(act).create_key(key.clone()).await?;
    let secret = minted.text.expose_secret().to_owned();
    Ok(v1::CreateKeyResponse { key: Some(to_proto::access_key(key)), secret })
}

fn new_key(request: &v1::CreateKeyRequest, minted: &Minted, now: Timestamp) -> Result<AccessKey, Violations> {
    let mut violations = Violations::default();
    let v = &mut violations;
    let name = v.check("name", HeaderText::parse(&request.name, limits::KEY_NAME_CHARS_MAX));
    if request.name.trim().is_empty() {
        v.push("name", "is required");
    }
    if request.scopes.is_empty() {
        v.push("scopes", "one scope is required");
    }
    let mut scopes: Vec<_> =
        request.scopes.iter().enumerate().filter_map(|(i, scope)| from_proto::scope(*scope, i, v)).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let most = limits::KEY_RESELLERS_MAX;
    if request.resellers.len() > most {
        v.push("resellers", format!("must have at most {most} entries"));
    }
    let named = request.resellers.iter().take(most).enumerate();
    let resellers =
        named.filter_map(|(i, name)| v.check(format!("resellers[{i}]"), ResellerId::parse(name))).collect();
    let expire_time = from_proto::timestamp(request.expire_time, "expire_time", v);
    if expire_time.is_some_and(|time| time <= now) {
        v.push("expire_time", "must be in the future");
    }
    let key = name.map(|name| AccessKey {
        id: minted.id.clone(),
        name: name.as_str().to_owned(),
        hash: minted.hash,
        scopes,
        resellers,
        create_time: now,
        expire_time,
        last_use_time: None,
        revoke_time: None,
    });
    violations.into_result(key)
}

pub(super) async fn list_keys(
    app: Arc<App>,
    call: Authorised<v1::ListKeysRequest>,
) -> Result<v1::ListKeysResponse, Refusal> {
    let mut keys = app.store.list_keys().await?;
    keys.reverse();
    let seen = keys.into_iter().filter(|key| may_see(&call.caller, key));
    Ok(v1::ListKeysResponse { keys: seen.map(to_proto::access_key).collect() })
}

pub(super) async fn revoke_key(
    app: Arc<App>,
    call: Authorised<v1::RevokeKeyRequest>,
) -> Result<v1::RevokeKeyResponse, Refusal> {
    if call.request.key_id.is_empty() {
        return Err(Violations::one("key_id", "is required").into());
    }
    let id = KeyId::of_text(call.request.key_id);
    let key = app.store.find_key(&id).await?.filter(|key| may_see(&call.caller, key));
    let key = key.ok_or(Refusal::KeyNotFound)?;
    let act = call.origin.act(&key.resellers, &[("key_id", key.id.as_str())]);
    app.store.clone().by(act).revoke_key(&key.id, app.clock.now()).await?;
    app.access.forget(&key.id);
    Ok(v1::RevokeKeyResponse {})
}

fn may_see(caller: &Caller, key: &AccessKey) -> bool {
    caller
        .resellers()
        .is_none_or(|own| !key.resellers.is_empty() && key.resellers.iter().all(|r| own.contains(r)))
}
