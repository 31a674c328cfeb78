//! The scripted answers that were asked for, in the order in which they were posted.
//!
//! The first that fits a call is used, and its `times` go down by one with each answer that it changed. What is used up
//! stays in the list with 0, as a record, until it is deleted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::directory::Known;
use crate::kind::{Call, Kind};
use crate::limits;
use crate::spec::Spec;

/// Whom a call is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) known: &'a Known,
    /// None for a token: it is for every mailbox of the directory.
    pub(crate) mailbox: Option<&'a str>,
}

#[derive(Debug)]
struct Scenario {
    spec: Spec,
    posted: Map<String, Value>,
}

impl Scenario {
    fn fits(&self, scope: &Scope<'_>, call: Call, now: Timestamp) -> bool {
        let spec = &self.spec;
        let mailbox = spec.mailbox.as_ref().is_none_or(|mailbox| match scope.mailbox {
            Some(address) => address.to_lowercase() == mailbox.to_lowercase(),
            None => scope.known.mailbox(mailbox).is_some(),
        });
        let tenant = spec.tenant.as_ref().is_none_or(|tenant| scope.known.answers_to(tenant));
        let call = spec.call.is_none_or(|of| of == call);
        spec.times != Some(0) && mailbox && tenant && call && spec.holds_at(now)
    }

    fn use_up(&mut self) -> Spec {
        self.spec.times = self.spec.times.map(|times| times.saturating_sub(1));
        self.spec.clone()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Scenarios {
    all: Mutex<Vec<Scenario>>,
}

impl Scenarios {
    pub(crate) fn post(&self, posted: Map<String, Value>) -> Result<(), String> {
        let spec = Spec::read(&posted)?;
        let mut all = self.lock();
        if all.len() >= limits::SCENARIOS_MAX {
            all.retain(|scenario| scenario.spec.times != Some(0));
        }
        if all.len() >= limits::SCENARIOS_MAX {
            return Err(format!(
                "The sandbox holds no more than {} scenarios; delete some.",
                limits::SCENARIOS_MAX
            ));
        }
        all.push(Scenario { spec, posted });
        Ok(())
    }

    /// As posted, with the `times` that are left.
    pub(crate) fn list(&self) -> Vec<Value> {
        let list = |scenario: &Scenario| {
            let mut posted = scenario.posted.clone();
            if let Some(times) = scenario.spec.times {
                posted.insert("times".to_owned(), times.into());
            }
            Value::Object(posted)
        };
        self.lock().iter().map(list).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Uses the first scenario of a wanted kind.
    pub(crate) fn take(
        &self,
        scope: &Scope<'_>,
        call: Call,
        now: Timestamp,
        wanted: impl Fn(Kind) -> bool,
    ) -> Option<Spec> {
        let mut all = self.lock();
        let found =
            all.iter_mut().find(|scenario| wanted(scenario.spec.kind) && scenario.fits(scope, call, now));
        found.map(Scenario::use_up)
    }

    /// Uses the first scenario for a mail if it is a refusal. One that waits for the mail's end keeps its place: what
    /// was posted after it comes after it.
    pub(crate) fn take_refusal(&self, scope: &Scope<'_>, call: Call, now: Timestamp) -> Option<Spec> {
        let mut all = self.lock();
        let first = all.iter_mut().find(|scenario| {
            let kind = scenario.spec.kind;
            (kind.is_refusal() || kind.is_outcome()) && scenario.fits(scope, call, now)
        });
        first.filter(|scenario| scenario.spec.kind.is_refusal()).map(Scenario::use_up)
    }

    pub(crate) fn is_active(&self, scope: &Scope<'_>, call: Call, now: Timestamp, kind: Kind) -> bool {
        self.lock().iter().any(|scenario| scenario.spec.kind == kind && scenario.fits(scope, call, now))
    }

    /// How long the answer is to be held back: all `slow` scenarios together.
    pub(crate) fn delay(&self, scope: &Scope<'_>, call: Call, now: Timestamp) -> Duration {
        let mut all = self.lock();
        let slow = all
            .iter_mut()
            .filter(|scenario| scenario.spec.kind == Kind::Slow && scenario.fits(scope, call, now));
        slow.map(|scenario| scenario.use_up().delay).sum::<Duration>().min(limits::SLOW_MAX)
    }

    /// The time by Entra's clock.
    pub(crate) fn entras_time(&self, scope: &Scope<'_>, now: Timestamp) -> Timestamp {
        let skewed = self.take(scope, Call::Token, now, |kind| kind == Kind::ClockSkew);
        skewed.and_then(|spec| now.checked_add(spec.skew).ok()).unwrap_or(now)
    }

    /// The scripted end of an app's secrets. Only one that has come is used up.
    pub(crate) fn secret_end(&self, scope: &Scope<'_>, client_id: &str, now: Timestamp) -> Option<Timestamp> {
        let mut all = self.lock();
        let due = all.iter_mut().find(|scenario| {
            let spec = &scenario.spec;
            spec.kind == Kind::SecretExpiresAt
                && spec.expire_time.is_some_and(|end| end <= now)
                && spec.client_id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(client_id))
                && scenario.fits(scope, Call::Token, now)
        });
        due.and_then(|scenario| scenario.use_up().expire_time)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Scenario>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
