//! How often a directory asks for message traces: Microsoft answers a hundred requests within five minutes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::limits;

#[derive(Debug, Default)]
pub(crate) struct Traced {
    asked: Mutex<HashMap<Uuid, VecDeque<Timestamp>>>,
}

impl Traced {
    /// Whether this request is answered; if not, the seconds after which one is.
    pub(crate) fn ask(&self, tenant_id: Uuid, now: Timestamp) -> Result<(), i64> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let own = asked.entry(tenant_id).or_default();
        let window = SignedDuration::from_secs(limits::TRACE_WINDOW_SECONDS);
        while own.front().is_some_and(|time| now.duration_since(*time) >= window) {
            own.pop_front();
        }
        if let Some(oldest) = own.front().filter(|_| own.len() >= limits::TRACE_REQUESTS_MAX) {
            return Err((window - now.duration_since(*oldest)).as_secs().max(1));
        }
        own.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_and_first_request_within_five_minutes_has_to_wait() {
        let (traced, tenant_id) = (Traced::default(), Uuid::nil());
        let at = |seconds: i64| Timestamp::from_second(1_000 + seconds).unwrap();
        for _ in 0..100 {
            traced.ask(tenant_id, at(0)).unwrap();
        }
        assert_eq!(traced.ask(tenant_id, at(10)), Err(290));
        assert!(traced.ask(Uuid::max(), at(10)).is_ok());
        assert!(traced.ask(tenant_id, at(300)).is_ok());
    }
}
