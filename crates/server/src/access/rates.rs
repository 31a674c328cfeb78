//! How often one may call: each caller, for each reseller, and strangers from one address, so that one in a loop harms nobody.
//!
//! By governor's GCRA: a burst of one second's calls (of a minute's, for strangers), then evenly. Each process counts for itself.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use postrider_domain::ResellerId;
use postrider_domain::limits::RATES_KNOWN_MAX;

use crate::config::Limits;
use crate::door::network;
use crate::status::Refusal;

pub(crate) struct Rates {
    callers: Rate<String>,
    resellers: Rate<ResellerId>,
    strangers: Rate<IpAddr>,
}

impl Rates {
    pub(crate) fn of(limits: Limits) -> Self {
        Self {
            callers: Rate::of(limits.calls_per_second_per_caller, Quota::per_second),
            resellers: Rate::of(limits.calls_per_second_per_reseller, Quota::per_second),
            strangers: Rate::of(limits.sign_ins_per_minute_per_address, Quota::per_minute),
        }
    }

    pub(crate) fn none() -> Self {
        Self { callers: Rate(None), resellers: Rate(None), strangers: Rate(None) }
    }

    /// A call of this caller.
    pub(super) fn of_caller(&self, name: &str) -> Result<(), Refusal> {
        self.callers.take(&name.to_owned()).map_err(|after| limited(format!("callers/{name}"), after))
    }

    /// A call for this reseller.
    pub(super) fn of_reseller(&self, reseller: &ResellerId) -> Result<(), Refusal> {
        self.resellers.take(reseller).map_err(|after| limited(format!("resellers/{reseller}"), after))
    }

    /// A sign-in of somebody who is not known, or that failed.
    pub(super) fn of_stranger(&self, source: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(source) = source else { return Ok(()) };
        self.strangers.take(&network(source)).map_err(|after| limited("sign-ins".to_owned(), after))
    }
}

fn limited(subject: String, after: Duration) -> Refusal {
    Refusal::RateLimited { subject, after }
}

/// `None`: no limit.
struct Rate<K: Hash + Eq + Clone>(Option<Limiter<K>>);

type Limiter<K> = RateLimiter<
    K,
    HashMapStateStore<K>,
    MonotonicClock,
    NoOpMiddleware<<MonotonicClock as governor::clock::Clock>::Instant>,
>;

impl<K: Hash + Eq + Clone> Rate<K> {
    fn of(limit: u32, quota: impl Fn(NonZeroU32) -> Quota) -> Self {
        let limiter = |limit| RateLimiter::new(quota(limit), HashMapStateStore::default(), MonotonicClock);
        Self(NonZeroU32::new(limit).map(limiter))
    }

    /// Or how long until there is one again.
    fn take(&self, key: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > RATES_KNOWN_MAX {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|until| until.wait_time_from(MonotonicClock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_more_often_is_told_when_to_come_again_and_others_go_on() {
        let rate = Rate::of(2, Quota::per_minute);
        assert_eq!((rate.take(&"a"), rate.take(&"a")), (Ok(()), Ok(())));
        let after = rate.take(&"a").unwrap_err();
        assert!(after > Duration::from_secs(20) && after <= Duration::from_secs(30), "{after:?}");
        assert_eq!(rate.take(&"b"), Ok(()));
        let unlimited = Rate::of(0, Quota::per_second);
        assert!((0..10_000).all(|_| unlimited.take(&"a").is_ok()));
    }
}
