//! Who is calling, for which resellers, with which scopes.
//!
//! Rules
//! - A call is authenticated before it is routed and its scope is checked before its body is read ([`AccessLayer`]); the
//!   reseller it names is checked before anything else in it ([`authorise`]). Validation comes after both.
//! - Beside keys, a token of the operator's identity provider is a caller's (`tokens.rs`).
//! - Whoever shows no key may show a certificate, whose names the operator maps to grants (`config/client_grant.rs`), until it ends,
//!   however long its connection is open.
//! - What is not in the table of `scopes.rs` is denied.
//! - "Not yours" and "does not exist" are one answer. No key, a wrong one, an expired and a revoked one are one answer.
//! - A key's secret is kept as a keyed hash, compared in constant time; an unknown key costs the same work.
//! - A revoked key is refused at once where it was revoked, and within [`KNOWN_FOR`](known::KNOWN_FOR) elsewhere.
//!
//! With the store away, keys read a moment ago go on; any other call is refused as `STORE_UNAVAILABLE`, not as
//! unauthenticated, so that nobody throws a good key away. Read first: `layer.rs`, `scopes.rs`.

mod admin_key;
mod authorise;
mod caller;
mod key;
mod key_set;
mod known;
mod layer;
mod rates;
pub(crate) mod refusals;
mod scopes;
mod tokens;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use postrider_credential_store::KeyedHash;
use postrider_domain::{Clock, ResellerId};
use postrider_store::{AccessKey, AccessStore, KeyId};

pub use admin_key::{AdminKeyError, make_admin_key};
pub(crate) use admin_key::{made_here, make_another_admin_key};
pub use authorise::{ResellerClaim, authorise};
pub use caller::Caller;
pub(crate) use caller::{ALL_RESELLERS, ClientName, ClientNames, Grant, Shown, source};
pub use key::Minted;
pub use layer::AccessLayer;
pub(crate) use rates::Rates;
pub(crate) use refusals::Refusals;
pub(crate) use scopes::{UNKNOWN_RPC, rpc_name};
pub(crate) use tokens::Tokens;

use crate::config::ClientGrant;
use crate::status::Refusal;
use authorise::has_scope;
use caller::{Right, TurnedAway};
use key::PresentedKey;
use known::KnownKeys;
use scopes::rule;

/// Makes keys, and tells who shows one. One for the whole server.
pub struct Access {
    store: Arc<dyn AccessStore>,
    /// Not in the database: whoever has that alone can try no secret.
    pepper: KeyedHash,
    clock: Arc<dyn Clock>,
    known: KnownKeys,
    refusals: Refusals,
    rates: Rates,
    /// By the name in the certificate.
    clients: HashMap<ClientName, Arc<Grant>>,
    tokens: Option<Tokens>,
}

impl Access {
    pub(crate) fn new(
        store: Arc<dyn AccessStore>,
        pepper: KeyedHash,
        clock: Arc<dyn Clock>,
        refusals: Refusals,
    ) -> Self {
        Self {
            store,
            pepper,
            clock,
            known: KnownKeys::default(),
            refusals,
            rates: Rates::none(),
            clients: HashMap::new(),
            tokens: None,
        }
    }

    #[must_use]
    pub(crate) fn letting_in(self, clients: &[ClientGrant]) -> Self {
        let grant = |client: &ClientGrant| (client.san.clone(), Arc::new(client.grant.clone()));
        Self { clients: clients.iter().map(grant).collect(), ..self }
    }

    #[must_use]
    pub(crate) fn trusting(self, tokens: Option<Tokens>) -> Self {
        Self { tokens, ..self }
    }

    #[must_use]
    pub(crate) fn limited_to(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// A fresh key, whose secret exists nowhere else.
    pub fn mint(&self) -> Result<Minted, Refusal> {
        Minted::fresh(&self.pepper).map_err(Refusal::internal)
    }

    /// To be called once a key was revoked, so that it is refused from then on.
    pub fn forget(&self, id: &KeyId) {
        self.known.forget(id);
    }

    /// What the key in the value of the `authorization` header opens.
    async fn authenticate(&self, authorization: &[u8]) -> Result<Right, TurnedAway> {
        let presented = PresentedKey::of_authorization(authorization).ok_or(Refusal::Unauthenticated)?;
        let now = self.clock.now();
        let epoch = self.known.epoch();
        let found = match self.known.get(&presented.id, now) {
            Some(key) => Some(key),
            None => self.store.find_key(&presented.id).await?.map(Arc::new),
        };
        // Why before the look at the rest: an unknown id costs what a known one does, so that time tells nothing.
        let fits = presented.matches(found.as_deref().map(|key| key.hash), &self.pepper);
        let key = found.filter(|_| fits).ok_or(Refusal::Unauthenticated)?;
        if !is_live(&key, now) {
            return Err(TurnedAway::known(key.id.as_str()));
        }
        if self.known.keep(&key, now, epoch) {
            self.touch(key.id.clone(), now);
        }
        Ok(Right::Key(key))
    }

    /// Who calls from there, if that one may make such a call at all, of whatever reseller, and has not made too many.
    pub(crate) async fn admit(
        &self,
        rpc: &str,
        shown: &Shown,
        source: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        let right = self.sign_in(shown, source).await.map_err(|TurnedAway { refusal, name }| {
            if let Refusal::Unauthenticated | Refusal::RateLimited { .. } = refusal {
                self.refusals.note(rpc, &name, source, refusal.reason(), None);
            }
            refusal
        })?;
        let caller = Caller { right, source };
        self.rates.of_caller(caller.name())?;
        match rule(rpc) {
            Some(rule) if !has_scope(&caller, rule) => Err(self.denied(rpc, &caller, None)),
            // Why: a path without a rule is no RPC of ours; routing says so. A handler without one is denied by `authorise`.
            _ => Ok(caller),
        }
    }

    /// What such a call is answered, which the audit tells of too, with the reseller that it named.
    pub(crate) fn denied(&self, rpc: &str, caller: &Caller, asked_for: Option<&ResellerId>) -> Refusal {
        let refusal = Refusal::AccessDenied;
        self.refusals.note(rpc, caller.name(), caller.source, refusal.reason(), asked_for);
        refusal
    }

    /// A key goes over the certificate of its connection, also where it is a wrong one.
    async fn sign_in(&self, shown: &Shown, source: Option<IpAddr>) -> Result<Right, TurnedAway> {
        match (&shown.names, &self.tokens, key::bearer(&shown.authorization)) {
            (Some(names), ..) if shown.authorization.is_empty() => self.named(names),
            (_, Some(tokens), Some(token)) if !key::is_ours(token) => {
                Ok(self.with_token(tokens, token, source).await?)
            }
            _ => self.with_key(&shown.authorization, source).await,
        }
    }

    async fn with_token(
        &self,
        tokens: &Tokens,
        token: &str,
        source: Option<IpAddr>,
    ) -> Result<Right, Refusal> {
        let granted = tokens.grant(token).await;
        if let Err(Refusal::Unauthenticated) = granted {
            self.rates.of_stranger(source)?;
        }
        Ok(Right::Granted(Arc::new(granted?)))
    }

    fn named(&self, ClientNames { names, end }: &ClientNames) -> Result<Right, TurnedAway> {
        let grant = names.iter().find_map(|name| self.clients.get(name)).ok_or(Refusal::Unauthenticated)?;
        if *end <= self.clock.now() {
            return Err(TurnedAway::known(&grant.name));
        }
        Ok(Right::Granted(Arc::new(Grant { end: Some(*end), ..Grant::clone(grant) })))
    }

    /// Strangers cost a read of the database each, which one address may cause so often. Whoever was let in before is none.
    async fn with_key(&self, authorization: &[u8], source: Option<IpAddr>) -> Result<Right, TurnedAway> {
        let shown = PresentedKey::of_authorization(authorization);
        let is_known = shown.is_some_and(|key| self.known.has_seen(&key.id));
        if !is_known && !authorization.is_empty() {
            self.rates.of_stranger(source)?;
        }
        let signed_in = self.authenticate(authorization).await;
        if is_known && let Err(TurnedAway { refusal: Refusal::Unauthenticated, .. }) = signed_in {
            self.rates.of_stranger(source)?;
        }
        signed_in
    }

    /// Whether there may be another call for the reseller that is named.
    pub(crate) fn pace(&self, claim: ResellerClaim<'_>) -> Result<(), Refusal> {
        claim.reseller().map_or(Ok(()), |reseller| self.rates.of_reseller(&reseller))
    }

    /// Whether a caller may still do what it was let in for: its key is neither revoked nor expired, its grant has not ended.
    pub(crate) async fn look_again(&self, caller: &Caller) -> Result<(), Refusal> {
        let (now, epoch) = (self.clock.now(), self.known.epoch());
        let id = match &caller.right {
            Right::Key(key) => &key.id,
            Right::Granted(grant) if grant.end.is_none_or(|end| now < end) => return Ok(()),
            Right::Granted(_) => return Err(Refusal::Unauthenticated),
        };
        let found = match self.known.get(id, now) {
            Some(key) => Some(key),
            None => self.store.find_key(id).await?.map(Arc::new),
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
