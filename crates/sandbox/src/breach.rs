//! Counts, mailbox by mailbox, what a client does beyond Microsoft's limits.
//!
//! - `concurrency`: more than 4 requests at once. Refused with 429, as Graph does.
//! - `rate`: more than 30 accepted messages within 60 seconds. Counted, not refused: Exchange delays such mail and
//!   still answers 202.
//! - `retry_after`: a request before a `Retry-After` that the sandbox gave for this mailbox has passed. It is
//!   counted from its arrival; one that crossed the 429 on another connection is no breach.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    Concurrency,
    Rate,
    RetryAfter,
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Concurrency => "concurrency",
            Limit::Rate => "rate",
            Limit::RetryAfter => "retry_after",
        }
    }
}

#[derive(Debug, Default)]
struct Load {
    in_flight: usize,
    accepted: VecDeque<Timestamp>,
    pause: Option<Pause>,
}

/// A `Retry-After` that was given.
#[derive(Debug)]
struct Pause {
    given: Timestamp,
    given_to: SocketAddr,
    until: Timestamp,
}

#[derive(Debug, Default)]
struct Counts {
    /// App and mailbox for what Graph counts by both; the mailbox alone for Exchange's rate has an empty app.
    loads: HashMap<(String, String), Load>,
    breaches: BTreeMap<(String, Limit), u64>,
}

impl Counts {
    fn count(&mut self, mailbox: &str, limit: Limit) {
        tracing::info!(mailbox, limit = limit.name(), "a limit was breached");
        let count = self.breaches.entry((mailbox.to_owned(), limit)).or_default();
        *count = count.saturating_add(1);
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Breaches {
    counts: Arc<Mutex<Counts>>,
}

impl Breaches {
    /// A request has arrived for this mailbox; it is in flight until what is returned is dropped.
    pub(crate) fn enter(&self, app: &str, mailbox: &str, peer: SocketAddr, now: Timestamp) -> InFlight {
        let key = (app.to_lowercase(), mailbox.to_lowercase());
        let mut counts = self.lock();
        let load = counts.loads.entry(key.clone()).or_default();
        load.in_flight = load.in_flight.saturating_add(1);
        let over = load.in_flight > limits::CONCURRENT_REQUESTS_PER_MAILBOX_MAX;
        let pause = load.pause.as_ref().filter(|pause| pause.is_broken_by(peer, now));
        let early_until = pause.map(|pause| pause.until);
        if over {
            counts.count(&key.1, Limit::Concurrency);
        }
        if early_until.is_some() {
            counts.count(&key.1, Limit::RetryAfter);
        }
        InFlight { breaches: self.clone(), key, peer, over, early_until }
    }

    /// A mail was accepted: the thirty-first within a minute is a breach.
    pub(crate) fn accepted(&self, mailbox: &str, now: Timestamp) {
        let mailbox = mailbox.to_lowercase();
        let mut counts = self.lock();
        let load = counts.loads.entry((String::new(), mailbox.clone())).or_default();
        let window = SignedDuration::from_secs(limits::RATE_WINDOW_SECONDS);
        while load.accepted.front().is_some_and(|time| now.duration_since(*time) >= window) {
            load.accepted.pop_front();
        }
        load.accepted.push_back(now);
        // Why: what is older than the newest 31 cannot change the answer.
        if load.accepted.len() > limits::MESSAGES_PER_MINUTE + 1 {
            load.accepted.pop_front();
        }
        if load.accepted.len() > limits::MESSAGES_PER_MINUTE {
            counts.count(&mailbox, Limit::Rate);
        }
    }

    pub(crate) fn all(&self) -> Vec<(String, Limit, u64)> {
        let counts = self.lock();
        counts.breaches.iter().map(|((mailbox, limit), count)| (mailbox.clone(), *limit, *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pause {
    fn is_broken_by(&self, peer: SocketAddr, now: Timestamp) -> bool {
        let crossed = SignedDuration::try_from(limits::RETRY_AFTER_CROSSING)
            .is_ok_and(|crossing| peer != self.given_to && now.duration_since(self.given) < crossing);
        now < self.until && !crossed
    }
}

/// A request in flight for one app and mailbox.
#[derive(Debug)]
pub(crate) struct InFlight {
    breaches: Breaches,
    key: (String, String),
    peer: SocketAddr,
    over: bool,
    early_until: Option<Timestamp>,
}

impl InFlight {
    /// Whether it arrived beside as many others as Graph allows.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.over
    }

    /// Until when it should have waited, if it came before that.
    pub(crate) fn early_until(&self) -> Option<Timestamp> {
        self.early_until
    }

    /// Its answer tells the client to stay away until then. A later end is never shortened by an earlier one.
    pub(crate) fn pause(&self, now: Timestamp, until: Timestamp) {
        let mut counts = self.breaches.lock();
        if let Some(load) = counts.loads.get_mut(&self.key) {
            let until = load.pause.as_ref().map_or(until, |pause| pause.until.max(until));
            load.pause = Some(Pause { given: now, given_to: self.peer, until });
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut counts = self.breaches.lock();
        if let Some(load) = counts.loads.get_mut(&self.key) {
            load.in_flight = load.in_flight.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + millis).unwrap()
    }

    fn count(breaches: &Breaches, limit: Limit) -> u64 {
        breaches.all().iter().filter(|entry| entry.1 == limit).map(|entry| entry.2).sum()
    }

    #[test]
    fn the_fifth_request_at_once_is_over_the_limit_and_an_ended_one_makes_room() {
        let breaches = Breaches::default();
        let mut four: Vec<_> = (0..4).map(|_| breaches.enter("app", "a@b.c", peer(1), at(0))).collect();
        assert!(four.iter().all(|call| !call.is_over_limit()));
        assert!(breaches.enter("app", "A@b.c", peer(1), at(0)).is_over_limit());
        four.pop();
        assert!(!breaches.enter("app", "a@b.c", peer(1), at(0)).is_over_limit());
        assert!(!breaches.enter("app", "other@b.c", peer(1), at(0)).is_over_limit());
        assert_eq!(count(&breaches, Limit::Concurrency), 1);
    }

    #[test]
    fn the_thirty_first_mail_of_a_minute_is_a_breach_and_the_window_slides() {
        let breaches = Breaches::default();
        for second in 0..30 {
            breaches.accepted("a@b.c", at(second * 1000));
        }
        breaches.accepted("a@b.c", at(60_000));
        assert_eq!(count(&breaches, Limit::Rate), 0);
        breaches.accepted("a@b.c", at(60_500));
        assert_eq!(count(&breaches, Limit::Rate), 1);
    }

    #[test]
    fn a_request_before_retry_after_has_passed_is_a_breach_but_not_one_that_crossed_the_answer() {
        let breaches = Breaches::default();
        breaches.enter("app", "a@b.c", peer(1), at(0)).pause(at(0), at(2_000));
        drop(breaches.enter("app", "a@b.c", peer(2), at(1)));
        assert_eq!(count(&breaches, Limit::RetryAfter), 0);
        drop(breaches.enter("app", "a@b.c", peer(1), at(1)));
        drop(breaches.enter("app", "a@b.c", peer(2), at(1_999)));
        assert_eq!(count(&breaches, Limit::RetryAfter), 2);
        drop(breaches.enter("app", "a@b.c", peer(1), at(2_000)));
        assert_eq!(count(&breaches, Limit::RetryAfter), 2);
    }
}
