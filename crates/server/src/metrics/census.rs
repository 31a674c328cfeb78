//! What there is now: asked of the store by whoever scrapes, and no more often than once a second.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::MessageState;
use postrider_store::{Backlog, DynStore, LaneState, SettingsFilter, StoreError};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::labels::{Labels, RESELLERS_MAX, ResellerLabels};
use super::registered;

/// One look costs a read of all that waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Census {
    messages: Family<Labels, Gauge>,
    lanes: Family<Labels, Gauge>,
    first_expiry: Family<Labels, Gauge>,
    oldest_due: Gauge,
    looked: Mutex<Option<Instant>>,
}

impl Census {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        Self {
            messages: registered(
                registry,
                "messages",
                "Messages that have not ended, in all replicas' database",
            ),
            lanes: registered(registry, "lanes", "Resellers' mailboxes, by what they do or what stops them"),
            first_expiry: registered(
                registry,
                "credential_expire_timestamp_seconds",
                "When the first credential in use ends, of those that are known to",
            ),
            oldest_due: registered(
                registry,
                "oldest_due_seconds",
                "How long the message waits that was due first, of those that are neither held nor sending",
            ),
            looked: Mutex::default(),
        }
    }

    /// While the store is away nothing is told, rather than what was.
    pub(super) async fn look(&self, store: &DynStore, now: Timestamp, resellers: &ResellerLabels) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        self.messages.clear();
        self.lanes.clear();
        self.first_expiry.clear();
        self.oldest_due.set(0);
        if let Err(error) = self.count(store, now, resellers).await {
            tracing::debug!(event = "metrics_not_counted", %error, "nothing could be counted for the metrics");
            return;
        }
        *looked = Some(Instant::now());
    }

    async fn count(
        &self,
        store: &DynStore,
        now: Timestamp,
        resellers: &ResellerLabels,
    ) -> Result<(), StoreError> {
        let wanted = resellers.are_wanted();
        let (backlog, lanes) = (store.backlog(wanted).await?, store.lanes().await?);
        let expiries = store.first_expiries(wanted).await?;
        if !wanted {
            for state in MessageState::ALL.into_iter().filter(|state| !state.is_end()) {
                self.messages.get_or_create(&resellers.with(None, [("state", state.as_str())])).set(0);
            }
        }
        for of in &backlog {
            let labels = resellers.with(of.reseller.as_ref(), [("state", of.state.as_str())]);
            self.messages.get_or_create(&labels).inc_by(of.messages);
        }
        self.oldest_due.set(oldest_due(&backlog, now));
        let lanes: HashMap<_, _> = lanes.into_iter().collect();
        for state in LaneState::ALL {
            let labels = resellers.with(None, [("state", state.as_str())]);
            self.lanes.get_or_create(&labels).set(lanes.get(&state).copied().unwrap_or_default());
        }
        for expiry in expiries {
            let gauge = self.first_expiry.get_or_create_owned(&resellers.with(expiry.reseller.as_ref(), []));
            // Those that share a label share the first of their ends.
            let before = Some(gauge.get()).filter(|end| *end != 0);
            gauge.set(before.map_or(expiry.time.as_second(), |end| end.min(expiry.time.as_second())));
        }
        if resellers.have_room() {
            let first = SettingsFilter { limit: RESELLERS_MAX, ..SettingsFilter::default() };
            let found = store.list_settings(first).await?;
            resellers.know(found.settings.iter().map(|settings| &settings.reseller));
        }
        Ok(())
    }
}

fn oldest_due(backlog: &[Backlog], now: Timestamp) -> i64 {
    let waits = backlog.iter().filter(|of| of.state.waits());
    let first = waits.map(|of| of.first_due).min();
    first.map_or(0, |first| now.duration_since(first).as_secs().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_or_for_later_is_no_backlog_that_grows_old() {
        let now = Timestamp::from_second(1_000).unwrap();
        let of = |state, due| Backlog {
            reseller: None,
            state,
            messages: 1,
            first_due: Timestamp::from_second(due).unwrap(),
        };
        assert_eq!(oldest_due(&[of(MessageState::Held, 1), of(MessageState::Sending, 1)], now), 0);
        assert_eq!(oldest_due(&[of(MessageState::Scheduled, 2_000)], now), 0);
        assert_eq!(oldest_due(&[of(MessageState::Accepted, 940), of(MessageState::Deferred, 970)], now), 60);
    }
}
