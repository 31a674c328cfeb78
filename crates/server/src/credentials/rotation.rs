//! What another hand put into Vault: a new secret stands beside the one in use, is tried, and only then taken.
//!
//! One that Entra refuses, or that is no credential, leaves the old one in use; why is logged, and told with the settings,
//! as is that the one in use is gone. The orphan of a put of ours that died is never looked at: the store tells it by its
//! mark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postrider_credential_store::{ByAnotherHand, CredentialStore, CredentialStoreError, Unusable};
use postrider_dispatch::Wakeup;
use postrider_domain::{
    AccessToken, Clock, CredentialInfo, CredentialVersion, Finding, FindingClass, FindingCode, ResellerId,
    Settings,
};
use postrider_store::{ChangeId, DynStore};
use postrider_token_cache::TokenCache;

use super::asking::Asking;

/// Refused secrets remembered; past that, all are forgotten and told anew.
const REFUSED_MAX: usize = 10_000;
/// As long as Entra's refusals are remembered.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

const STAYS: &str = "a newer secret in Vault does not work; the old one stays in use";
const STAYS_UNTRIED: &str = "a newer secret in Vault is not taken; the old one stays in use";
const GONE: &str = "the credential in use is lost: nothing can be sent when its token ends";

#[derive(Clone)]
pub(crate) struct Rotation {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub asking: Asking,
    pub tokens: TokenCache,
    pub wakeup: Wakeup,
    pub clock: Arc<dyn Clock>,
    pub refused: Refused,
}

/// Secrets of another hand that are not taken, and those in use that are gone, by reseller.
#[derive(Clone, Default)]
pub(crate) struct Refused(Arc<Mutex<HashMap<ResellerId, RefusedSecret>>>);

struct RefusedSecret {
    /// Of which is told.
    version: CredentialVersion,
    finding: Finding,
    tried: Option<Tried>,
}

/// What Entra refused, and when.
#[derive(Clone)]
struct Tried {
    version: CredentialVersion,
    time: Timestamp,
}

impl Refused {
    /// Why a newer secret than the one in use is not taken.
    pub(crate) fn of(&self, reseller: &ResellerId) -> Option<Finding> {
        self.lock().get(reseller).map(|refused| refused.finding.clone())
    }

    /// A new secret takes a while until all of Entra knows it: after a minute it is tried again.
    fn just_tried(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
        now: Timestamp,
    ) -> Option<Tried> {
        let tried = self.lock().get(reseller)?.tried.clone()?;
        (tried.version == *version && now.duration_since(tried.time) < TRIED_AGAIN).then_some(tried)
    }

    /// Whether it is new.
    fn note(&self, reseller: &ResellerId, refused: RefusedSecret) -> bool {
        let mut all = self.lock();
        if all.len() >= REFUSED_MAX {
            all.clear();
        }
        let (version, code) = (refused.version.clone(), refused.finding.code);
        let before = all.insert(reseller.clone(), refused);
        before.is_none_or(|before| (before.version, before.finding.code) != (version, code))
    }

    /// The settings were put or deleted.
    pub(crate) fn forget(&self, reseller: &ResellerId) {
        self.lock().remove(reseller);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ResellerId, RefusedSecret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of a credential that is saved and cannot be read any more, as settings and a test of them tell it.
pub(crate) fn lost(error: &CredentialStoreError) -> Finding {
    Finding::new(FindingCode::CredentialStoreUnavailable).with("reason", error)
}

fn untried(why: Unusable) -> Finding {
    Finding::new(FindingCode::SecretWrong).with("reason", format!("{STAYS_UNTRIED}: {why}"))
}

impl Rotation {
    /// Takes what another hand put in the place of these settings' credential, if there is such a thing and it works:
    /// with the token that showed it. Troubles of ours are logged, and leave all as it is.
    pub(crate) async fn catch_up(&self, settings: &Settings) -> Option<AccessToken> {
        let reseller = &settings.reseller;
        let looked = match self.credentials.by_another_hand(reseller, &settings.credential).await {
            Ok(looked) => looked,
            // Of an outage it is told elsewhere, once.
            Err(error) if error.is_outage() => return None,
            Err(error) => {
                let error = crate::status::with_sources(&error);
                tracing::warn!(event = "credential_change_unreadable", %reseller, error, "it cannot be told whether another hand changed the credential");
                return None;
            }
        };
        let now = self.clock.now();
        let Some(found) = &looked.put else {
            self.tell(settings, &looked);
            return None;
        };
        if let Some(tried) = self.refused.just_tried(reseller, &found.version, now) {
            self.tell_of_newer(reseller, &looked, tried);
            return None;
        }
        let credential = match self.credentials.get(reseller, &found.version).await {
            Ok(credential) => credential,
            Err(error) => {
                let error = crate::status::with_sources(&error);
                tracing::warn!(event = "credential_change_unreadable", %reseller, error, "what another hand put cannot be read");
                return None;
            }
        };
        match self.asking.token(settings, &credential).await {
            Ok(token) => {
                // It works for these settings, also where somebody was faster to take it.
                self.adopt(settings, found).await;
                Some(token)
            }
            // An outage says nothing of the secret.
            Err(refusal) if refusal.finding.class != FindingClass::Settings => None,
            Err(refusal) => {
                let tried = Tried { version: found.version.clone(), time: now };
                if !self.tell_of_newer(reseller, &looked, tried.clone()) {
                    let reason = looked.lost.as_ref().map_or(STAYS.to_owned(), ToString::to_string);
                    let finding = refusal.finding.with("reason", reason);
                    let version = found.version.clone();
                    self.note(reseller, RefusedSecret { version, finding, tried: Some(tried) }, STAYS);
                }
                None
            }
        }
    }

    /// Where nothing can be tried: that the credential in use is gone, or what was put in its place is none.
    fn tell(&self, settings: &Settings, looked: &ByAnotherHand) {
        let reseller = &settings.reseller;
        let (version, finding, told) = match (&looked.lost, &looked.unusable) {
            (Some(lost), _) => (&settings.credential.version, self::lost(lost), GONE),
            (None, Some((version, why))) => (version, untried(*why), STAYS_UNTRIED),
            (None, None) => return self.refused.forget(reseller),
        };
        self.note(reseller, RefusedSecret { version: version.clone(), finding, tried: None }, told);
    }

    /// Of what was written after the one that is refused, and is no credential. `false`: there is none.
    fn tell_of_newer(&self, reseller: &ResellerId, looked: &ByAnotherHand, tried: Tried) -> bool {
        let Some((version, why)) = looked.unusable.as_ref().filter(|_| looked.lost.is_none()) else {
            return false;
        };
        let refused = RefusedSecret { version: version.clone(), finding: untried(*why), tried: Some(tried) };
        self.note(reseller, refused, STAYS_UNTRIED);
        true
    }

    /// Logged where it is new.
    fn note(&self, reseller: &ResellerId, refused: RefusedSecret, told: &str) {
        let (version, finding) = (refused.version.clone(), refused.finding.clone());
        if self.refused.note(reseller, refused) {
            let reason = finding.evidence.get("reason").map(String::as_str).unwrap_or_default();
            tracing::warn!(
                event = "credential_refused", %reseller, version = version.as_str(),
                finding = %finding.code, reason, "{told}"
            );
        }
    }

    async fn adopt(&self, settings: &Settings, found: &CredentialInfo) {
        let (reseller, now) = (&settings.reseller, self.clock.now());
        let adopting = async {
            // What is replaced by it is to be destroyed some time.
            self.store.begin_change(reseller, ChangeId(uuid::Uuid::new_v4()), now).await?;
            self.store.adopt_credential(reseller, &settings.credential.version, found, true, now).await
        };
        match adopting.await {
            Ok(true) => tracing::info!(
                event = "credential_adopted", %reseller, version = found.version.as_str(),
                "a secret that another hand put into Vault works and is used from now on"
            ),
            Ok(false) => return,
            Err(error) => {
                return tracing::error!(event = "credential_not_adopted", %reseller, %error, "a newer secret works, and could not be taken");
            }
        }
        self.refused.forget(reseller);
        self.tokens.forget_reseller(reseller);
        self.wakeup.lane_changed(reseller);
    }
}
