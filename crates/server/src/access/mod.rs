//! Who is calling, for which resellers, with which scopes.
//!
//! Rules
//! - A call is authenticated before it is routed and its scope is checked before its body is read ([`AccessLayer`]); the
//!   reseller it names is checked before anything else in it ([`authorise`]). Validation comes after both.
//! - What is not in the table of `scopes.rs` is denied.
//! - "Not yours" and "does not exist" are one answer. No key, a wrong one, an expired and a revoked one are one answer.
//! - A key's secret is kept as a keyed hash, compared in constant time; an unknown key costs the same work.
//! - A revoked key is refused at once where it was revoked, and within [`KNOWN_FOR`](known::KNOWN_FOR) elsewhere.
//!
//! With the store away, keys read a moment ago go on; any other call is refused as `STORE_UNAVAILABLE`, not as
//! unauthenticated, so that nobody throws a good key away. Read first: `layer.rs`, `scopes.rs`.

mod admin_key;
mod authorise;
mod key;
mod known;
mod layer;
pub(crate) mod refusals;
mod scopes;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use postrider_credential_store::KeyedHash;
use postrider_domain::{Clock, ResellerId};
use postrider_store::{AccessKey, AccessStore, KeyId, Scope};

pub use admin_key::{AdminKeyError, make_admin_key};
pub use authorise::{ResellerClaim, authorise};
pub use key::Minted;
pub use layer::AccessLayer;
pub(crate) use layer::take_authorization;

pub(crate) use refusals::Refusals;

use crate::status::Refusal;
use authorise::has_scope;
use key::PresentedKey;
use known::KnownKeys;
use scopes::rule;

/// Who is calling, in the extensions of every request that got past the door but those to health and reflection.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<AccessKey>,
    /// From where, as far as the door knows.
    source: Option<IpAddr>,
}

impl Caller {
    pub fn key_id(&self) -> &KeyId {
        &self.key.id
    }

    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Whether the key has the scope, or `admin`, which holds every scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.key.scopes.iter().any(|&own| own == scope || own == Scope::Admin)
    }

    /// The resellers the key is bound to; `None` is all. Lists are filtered by it.
    pub fn resellers(&self) -> Option<&[ResellerId]> {
        (!self.key.resellers.is_empty()).then_some(self.key.resellers.as_slice())
    }
}

/// Makes keys, and tells who shows one. One for the whole server.
pub struct Access {
    store: Arc<dyn AccessStore>,
    /// Not in the database: whoever has that alone can try no secret.
    pepper: KeyedHash,
    clock: Arc<dyn Clock>,
    known: KnownKeys,
    refusals: Refusals,
}

impl Access {
    pub(crate) fn new(
        store: Arc<dyn AccessStore>,
        pepper: KeyedHash,
        clock: Arc<dyn Clock>,
        refusals: Refusals,
    ) -> Self {
        Self { store, pepper, clock, known: KnownKeys::default(), refusals }
    }

    /// A fresh key, whose secret exists nowhere else.
    pub fn mint(&self) -> Result<Minted, Refusal> {
        Minted::fresh(&self.pepper).map_err(Refusal::internal)
    }

    /// To be called once a key was revoked, so that it is refused from then on.
    pub fn forget(&self, id: &KeyId) {
        self.known.forget(id);
    }

    /// Who shows the value of the `authorization` header, from where.
    pub(crate) async fn authenticate(
        &self,
        authorization: &[u8],
        source: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        let presented = PresentedKey::of_authorization(authorization).ok_or(Refusal::Unauthenticated)?;
        let now = self.clock.now();
        let epoch = self.known.epoch();
        let found = match self.known.get(&presented.id, now) {
            Some(key) => Some(key),
            None => self.store.find_key(&presented.id).await?.map(Arc::new),
        };
        // Why before the look at the rest: an unknown id costs what a known one does, so that time tells nothing.
        let fits = presented.matches(found.as_deref().map(|key| key.hash), &self.pepper);
        let key = found.filter(|key| fits && is_live(key, now)).ok_or(Refusal::Unauthenticated)?;
        if self.known.keep(&key, now, epoch) {
            self.touch(key.id.clone(), now);
        }
        Ok(Caller { key, source })
    }

    /// Who calls, if that one may make such a call at all, of whatever reseller.
    pub(crate) async fn admit(
        &self,
        rpc: &str,
        authorization: &[u8],
        source: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        let caller = self.authenticate(authorization, source).await.inspect_err(|refusal| {
            if let Refusal::Unauthenticated = refusal {
                self.refusals.note(rpc, "", source, refusal.reason());
            }
        })?;
        match rule(rpc) {
            Some(rule) if !has_scope(&caller, rule) => Err(self.denied(rpc, &caller)),
            // Why: a path without a rule is no RPC of ours; routing says so. A handler without one is denied by `authorise`.
            _ => Ok(caller),
        }
    }

    /// What such a call is answered, which the audit tells of too.
    pub(crate) fn denied(&self, rpc: &str, caller: &Caller) -> Refusal {
        let refusal = Refusal::AccessDenied;
        self.refusals.note(rpc, caller.key_id().as_str(), caller.source, refusal.reason());
        refusal
    }

    /// Whether a caller may still do what it was let in for: its key is neither revoked nor expired.
    pub(crate) async fn look_again(&self, caller: &Caller) -> Result<(), Refusal> {
        let (now, epoch) = (self.clock.now(), self.known.epoch());
        let found = match self.known.get(caller.key_id(), now) {
            Some(key) => Some(key),
            None => self.store.find_key(caller.key_id()).await?.map(Arc::new),
        };
        let key = found.filter(|key| is_live(key, now)).ok_or(Refusal::Unauthenticated)?;
        self.known.keep(&key, now, epoch);
        Ok(())
    }

    /// Notes the use of a key, never in the way of the call.
    fn touch(&self, id: KeyId, now: Timestamp) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.touch_key(&id, now).await {
                tracing::debug!(event = "key_use_not_noted", key_id = %id, %error, "the last use of a key was not noted");
            }
        });
    }
}

fn is_live(key: &AccessKey, now: Timestamp) -> bool {
    key.revoke_time.is_none() && key.expire_time.is_none_or(|end| now < end)
}

#[cfg(test)]
pub(crate) mod tests;
