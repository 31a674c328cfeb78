//! Refusals of access, told in the audit without filling it.
//!
//! Rules
//! - Of each caller, address, RPC and reseller one refusal a minute is told; of one caller [`TOLD_OF_ONE`], and of all together [`TOLD_A_MINUTE`].
//!   Strangers together are one caller, so that they leave room for those who are known. Those that are not told are counted, and the next
//!   that is told says how many there were.
//! - Telling is never in the way of the answer. What cannot be written goes to the log.
//! - Nothing that an unknown caller chose is told: not the key it showed, and of the path only what is an RPC of ours. Of a known one the
//!   reseller that it named is told too, in nobody's chain: whose name it is may not be known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{Act, Clock, ResellerId};
use postrider_store::AuditStore;

use super::scopes::rpc_name;

const TOLD_OF_ONE: usize = 10;
/// What strangers and nine callers may come to: some 50 MB a day at the very most.
const TOLD_A_MINUTE: usize = 10 * TOLD_OF_ONE;
/// The name of the reseller among the details.
const ASKED_FOR: &str = "asked_for";
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

pub(crate) struct Refusals {
    store: Arc<dyn AuditStore>,
    clock: Arc<dyn Clock>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    since: Timestamp,
    /// Actor, address, RPC and reseller.
    kinds: BTreeSet<[String; 4]>,
    /// Not told since the last that was.
    untold: u64,
}

impl Refusals {
    pub(crate) fn new(store: Arc<dyn AuditStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, told: Mutex::default() }
    }

    /// A call was refused for this reason. Whoever is unknown is "".
    pub(crate) fn note(
        &self,
        rpc: &str,
        actor: &str,
        source: Option<IpAddr>,
        reason: &'static str,
        asked_for: Option<&ResellerId>,
    ) {
        let mut act = act(rpc, actor, source);
        act.details.extend(asked_for.map(|reseller| (ASKED_FOR.to_owned(), reseller.to_string())));
        let Some(untold) = self.admit(&act) else { return };
        act.details.insert("refused".to_owned(), reason.to_owned());
        if untold > 0 {
            act.details.insert("untold_before".to_owned(), untold.to_string());
        }
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.note(act).await {
                tracing::warn!(event = "refusal_not_in_audit", %error, reason, "a refusal of access is not in the audit");
            }
        });
    }

    /// Whether it is told, and how many were not before it.
    fn admit(&self, act: &Act) -> Option<u64> {
        let now = self.clock.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since > now || now.duration_since(told.since) >= MINUTE {
            told.since = now;
            told.kinds.clear();
        }
        let asked_for = act.details.get(ASKED_FOR).cloned().unwrap_or_default();
        let kind = [act.actor.clone(), act.source_address.clone(), act.action.clone(), asked_for];
        let of_one = told.kinds.iter().filter(|[actor, ..]| *actor == act.actor).count();
        if of_one >= TOLD_OF_ONE || told.kinds.len() >= TOLD_A_MINUTE || !told.kinds.insert(kind) {
            told.untold += 1;
            return None;
        }
        Some(std::mem::take(&mut told.untold))
    }
}

/// What was tried, and by whom, as far as it is known.
fn act(rpc: &str, actor: &str, source: Option<IpAddr>) -> Act {
    Act {
        actor: actor.to_owned(),
        action: rpc_name(rpc).to_owned(),
        resellers: Vec::new(),
        source_address: source.map(|address| address.to_string()).unwrap_or_default(),
        details: BTreeMap::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use async_trait::async_trait;
    use postrider_domain::TestClock;
    use postrider_store::{AuditFilter, AuditPage, StoreError};
    use tokio::sync::mpsc;

    use super::*;

    /// Hands on what is told.
    struct Listener(mpsc::UnboundedSender<Act>);

    #[async_trait]
    impl AuditStore for Listener {
        async fn note(&self, act: Act) -> Result<(), StoreError> {
            drop(self.0.send(act));
            Ok(())
        }

        async fn audit_events(&self, _: AuditFilter) -> Result<AuditPage, StoreError> {
            Ok(AuditPage { events: Vec::new(), more: false })
        }
    }

    pub(crate) fn untold() -> Refusals {
        told().0
    }

    pub(crate) fn told() -> (Refusals, mpsc::UnboundedReceiver<Act>) {
        told_by(Arc::new(TestClock::at(Timestamp::UNIX_EPOCH)))
    }

    fn told_by(clock: Arc<TestClock>) -> (Refusals, mpsc::UnboundedReceiver<Act>) {
        let (sender, told) = mpsc::unbounded_channel();
        (Refusals::new(Arc::new(Listener(sender)), clock), told)
    }

    fn act(actor: &str) -> Act {
        super::act("/postrider.v1.MailService/SendMail", actor, Some(IpAddr::from([192, 0, 2, 1])))
    }

    #[test]
    fn one_refusal_of_a_kind_is_told_a_minute_and_the_rest_is_counted() {
        let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
        let (refusals, _) = told_by(clock.clone());
        assert_eq!(refusals.admit(&act("k1")), Some(0));
        assert_eq!(refusals.admit(&act("k1")), None);
        assert_eq!(
            refusals.admit(&act("k2")),
            Some(1),
            "another caller's is told, and what was not before it"
        );
        assert_eq!(refusals.admit(&act("k1")), None);
        clock.advance(MINUTE);
        assert_eq!(refusals.admit(&act("k1")), Some(1));
    }

    #[test]
    fn strangers_and_a_caller_in_a_loop_leave_room_for_what_another_is_refused() {
        let refusals = untold();
        let tries = |actor: &str| {
            let tried = (0..50).map(|rpc| Act { action: rpc.to_string(), ..act(actor) });
            tried.filter_map(|act| refusals.admit(&act)).count()
        };
        assert_eq!((tries(""), tries("k1")), (TOLD_OF_ONE, TOLD_OF_ONE));
        assert!(refusals.admit(&act("k2")).is_some());
    }

    #[test]
    fn many_callers_together_tell_no_more_than_the_bound() {
        let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
        let (refusals, _) = told_by(clock.clone());
        let told = (0..1_000).filter(|caller| refusals.admit(&act(&caller.to_string())).is_some()).count();
        assert_eq!(told, TOLD_A_MINUTE);
        clock.advance(MINUTE);
        assert_eq!(refusals.admit(&act("late")), Some(1_000 - TOLD_A_MINUTE as u64));
    }
}
