//! The token by which Vault knows Postrider: renewed ahead of time, and logged in anew where it cannot be.
//!
//! Rules
//! - A token is renewed after two thirds of its life, less some chance so that replicas do not come together. A renewal
//!   that gives less than was asked for nears the most that Vault allows: the next token is fetched while this one lives.
//! - A 403 is the token's or the policy's: Vault is asked which. For a token that is gone there is one login, whoever asks,
//!   and the request is made again; so no caller sees a token end.
//! - After a login that was refused the next one waits, so that many callers do not storm Vault.
//! - Whether Vault serves is told by one look, which reads as a token request does; a request that met a fault only has
//!   it made at once. So what fails for one and works for another does not make it come and go; nor does a quota of
//!   requests that is used up now and then, for others are served in between.
//!
//! Read first: `tests/it/vault.rs`, against Vault itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;
use zeroize::Zeroize;

use super::error::{Met, VaultError, VaultFault};
use super::http::{Endpoint, VaultSetupError};
use super::login::{Granted, Lease, Unwrapped, VaultAuth};

/// How often Vault is asked whether it serves.
const LOOK: Duration = Duration::from_secs(5);
/// Looks that a used-up quota refuses one after the other, until Vault is taken for away.
const THROTTLED_LOOKS: u32 = 3;
/// The least between two looks, however many requests meet a fault.
const LOOK_MIN: Duration = Duration::from_secs(1);
/// Under the folder of credentials, the name of none: no reseller's begins so.
const NOBODY: &str = "-";
/// After a login that failed.
const LOGIN_AGAIN: Duration = Duration::from_secs(1);
/// The least between two renewals, however short the token lives.
const RENEW_MIN: Duration = Duration::from_millis(200);
/// The most, whatever Vault says.
const RENEW_MAX: Duration = Duration::from_hours(24);

pub(super) struct Session {
    endpoint: Endpoint,
    auth: VaultAuth,
    http: reqwest::Client,
    held: Mutex<Option<Held>>,
    login: tokio::sync::Mutex<LoginState>,
    is_there: watch::Sender<bool>,
    /// A request met a fault.
    doubted: Notify,
    /// Requests that a used-up quota refused.
    throttled: AtomicU64,
}

/// What is looked at to tell whether Vault serves.
#[derive(Debug, Clone)]
pub enum VaultProbe {
    /// Where credentials lie elsewhere.
    Token,
    /// The folder of credentials.
    Credentials { mount: String, prefix: String },
}

#[derive(Clone)]
struct Held {
    client: Arc<VaultClient>,
    /// Rises with each login.
    number: u64,
    lease: Lease,
    /// As it was when the token was new.
    life: Duration,
}

#[derive(Default)]
struct LoginState {
    unwrapped: Unwrapped,
    logins: u64,
    failed: Option<(Instant, VaultError)>,
}

impl Session {
    pub(super) fn new(endpoint: Endpoint, auth: VaultAuth) -> Result<Self, VaultSetupError> {
        let http = endpoint.connect(None)?;
        let (held, login) = (Mutex::default(), tokio::sync::Mutex::default());
        let (is_there, doubted) = (watch::Sender::new(true), Notify::new());
        let throttled = AtomicU64::new(0);
        Ok(Self { endpoint, auth, http, held, login, is_there, doubted, throttled })
    }

    /// Whether Vault served the last look.
    pub(super) fn is_there(&self) -> watch::Receiver<bool> {
        self.is_there.subscribe()
    }

    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Does one thing with a token that Vault takes. `Err(Ok(_))`: what was met is for the caller to judge.
    pub(super) async fn call<T, F, Fut>(&self, doing: &str, request: F) -> Result<T, Result<Met, VaultError>>
    where
        F: Fn(Arc<VaultClient>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ClientError>> + Send,
    {
        let called = self.called(doing, request).await;
        if let Err(Err(error)) = &called {
            if error.fault == VaultFault::Throttled {
                self.throttled.fetch_add(1, Ordering::Relaxed);
            }
            self.doubted.notify_one();
        }
        called
    }

    async fn called<T, F, Fut>(&self, doing: &str, request: F) -> Result<T, Result<Met, VaultError>>
    where
        F: Fn(Arc<VaultClient>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ClientError>> + Send,
    {
        let held = self.held().await.map_err(Err)?;
        let met = match request(Arc::clone(&held.client)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => Met::of(error),
        };
        let Met::Forbidden(said) = met else { return Err(judged(met, doing)) };
        if self.token_lives(&held.client).await.map_err(Err)? {
            return Err(Err(VaultError::new(VaultFault::Denied, doing, said)));
        }
        let held = self.log_in_after(held.number).await.map_err(Err)?;
        request(held.client).await.map_err(|error| judged(Met::of(error), doing))
    }

    async fn token_lives(&self, client: &VaultClient) -> Result<bool, VaultError> {
        match vaultrs::token::lookup_self(client).await {
            Ok(mut found) => {
                found.id.zeroize();
                Ok(true)
            }
            Err(error) => match Met::of(error) {
                Met::Forbidden(_) => Ok(false),
                other => Err(other.into_error("look up the token")),
            },
        }
    }

    async fn held(&self) -> Result<Held, VaultError> {
        let held = self.state().clone();
        match held {
            Some(held) => Ok(held),
            None => self.log_in_after(0).await,
        }
    }

    /// A newer token than that of this number. All who ask at once share one login.
    async fn log_in_after(&self, number: u64) -> Result<Held, VaultError> {
        let mut login = self.login.lock().await;
        if let Some(held) = self.state().as_ref().filter(|held| held.number > number) {
            return Ok(held.clone());
        }
        if let Some((since, error)) = &login.failed
            && since.elapsed() < LOGIN_AGAIN
        {
            return Err(error.clone());
        }
        match self.auth.log_in(&self.endpoint, &self.http, &mut login.unwrapped).await {
            Ok(Granted { http, token, lease }) => {
                login.failed = None;
                login.logins += 1;
                let client = Arc::new(self.endpoint.client(http, Some(&token)));
                let held = Held { client, number: login.logins, lease, life: lease.life };
                *self.state() = Some(held.clone());
                tracing::info!(
                    event = "vault_logged_in",
                    life_seconds = lease.life.as_secs(),
                    "logged in to Vault"
                );
                Ok(held)
            }
            Err(error) => {
                login.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// The first login.
    pub(super) async fn log_in(&self) -> Result<(), VaultError> {
        let logged_in = self.log_in_after(0).await.map(|_| ());
        if let Err(error) = &logged_in {
            self.tell(Some(error));
        }
        logged_in
    }

    /// Keeps the token alive, and looks whether Vault is there. Never returns.
    pub(super) async fn keep(&self, probe: VaultProbe) {
        tokio::join!(self.keep_token(), self.keep_looking(probe));
    }

    async fn keep_token(&self) {
        loop {
            let held = self.state().clone();
            let Some(held) = held else {
                tokio::time::sleep(LOGIN_AGAIN).await;
                drop(self.log_in_after(0).await);
                continue;
            };
            if held.life.is_zero() {
                // It does not end; another may come in its place.
                tokio::time::sleep(LOOK).await;
                continue;
            }
            tokio::time::sleep_until(held.lease.granted + until_renewal(held.lease.life)).await;
            let is_same = self.state().as_ref().is_some_and(|now| now.number == held.number);
            if is_same && !self.renew(&held).await {
                self.replace(&held).await;
            }
        }
    }

    /// Whether the token lives on for nearly as long as it did when it was new.
    async fn renew(&self, held: &Held) -> bool {
        if !held.lease.renewable {
            return false;
        }
        let asked = Instant::now();
        let Ok(mut renewed) = vaultrs::token::renew_self(held.client.as_ref(), None).await else {
            return false;
        };
        renewed.client_token.zeroize();
        let life = Duration::from_secs(renewed.lease_duration);
        let lease = Lease { granted: asked, life, renewable: renewed.renewable };
        if let Some(now) = self.state().as_mut().filter(|now| now.number == held.number) {
            now.lease = lease;
        }
        life >= held.life.mul_f64(0.9)
    }

    async fn replace(&self, held: &Held) {
        if let Err(error) = self.log_in_after(held.number).await {
            let left = (held.lease.granted + held.lease.life).saturating_duration_since(Instant::now());
            // Of a Vault that is away it is told once, as that.
            if *self.is_there.borrow() {
                tracing::warn!(
                    event = "vault_token_ends", left_seconds = left.as_secs(), error = %Chain(&error),
                    "Vault's token ends and no other is to be had"
                );
            }
            tokio::time::sleep(LOGIN_AGAIN.max(left / 5).min(LOOK)).await;
        } else if !self.auth.gives_fresh_tokens() {
            // The same token again: it ends when it ends, and the file may bring another before.
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn keep_looking(&self, probe: VaultProbe) {
        let mut throttled = 0;
        loop {
            let met = self.look(&probe).await.err();
            let is_throttled = met.as_ref().is_some_and(|error| error.fault == VaultFault::Throttled);
            throttled = if is_throttled { throttled + 1 } else { 0 };
            if !is_throttled || throttled >= THROTTLED_LOOKS {
                self.tell(met.as_ref());
            }
            tokio::time::sleep(LOOK_MIN).await;
            tokio::select! {
                () = std::future::ready(()), if is_throttled => {}
                () = tokio::time::sleep(LOOK.saturating_sub(LOOK_MIN).mul_f64(chance())) => {}
                () = self.doubted.notified() => {}
            }
        }
    }

    async fn look(&self, probe: &VaultProbe) -> Result<(), VaultError> {
        let VaultProbe::Credentials { mount, prefix } = probe else {
            let doing = "look up the token";
            let looked =
                self.called(doing, async |client| vaultrs::token::lookup_self(client.as_ref()).await);
            let mut found = looked.await.map_err(|met| error(met, doing))?;
            found.id.zeroize();
            return Ok(());
        };
        let doing = format!("read {mount}/data/{prefix}/{NOBODY}");
        let looked = self.called(&doing, |client| {
            let (mount, path) = (mount.clone(), format!("{prefix}/{NOBODY}"));
            async move { vaultrs::kv2::read::<serde::de::IgnoredAny>(client.as_ref(), &mount, &path).await }
        });
        match looked.await {
            Ok(_) | Err(Ok(Met::NotFound(_))) => Ok(()),
            Err(met) => Err(error(met, &doing)),
        }
    }

    /// What a look met.
    fn tell(&self, met: Option<&VaultError>) {
        let is_there = met.is_none();
        let changed = self.is_there.send_if_modified(|now| std::mem::replace(now, is_there) != is_there);
        match met {
            Some(error) if changed => {
                tracing::error!(event = "vault_away", error = %Chain(error), "Vault does not serve");
            }
            None if changed => tracing::info!(event = "vault_back", "Vault serves again"),
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judged(met: Met, doing: &str) -> Result<Met, VaultError> {
    match met {
        Met::Fault(fault, said) => Err(VaultError::new(fault, doing, said)),
        Met::Forbidden(said) => Err(VaultError::new(VaultFault::Denied, doing, said)),
        met @ (Met::NotFound(_) | Met::Bad(_)) => Ok(met),
    }
}

/// Where whatever was met is a fault.
fn error(met: Result<Met, VaultError>, doing: &str) -> VaultError {
    met.map_or_else(|error| error, |met| met.into_error(doing))
}

fn until_renewal(life: Duration) -> Duration {
    (life * 2 / 3).mul_f64(chance()).clamp(RENEW_MIN, RENEW_MAX)
}

/// 0.85 to 1.
fn chance() -> f64 {
    let random = uuid::Uuid::new_v4().as_u64_pair().1 & 0xffff;
    let random = u16::try_from(random).unwrap_or_default();
    0.85 + 0.15 * f64::from(random) / f64::from(u16::MAX)
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a VaultError);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        std::error::Error::source(self.0).map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}
