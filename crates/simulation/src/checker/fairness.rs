//! Fairness over lanes: one that nothing bound is not passed over while others are served again and again.
//!
//! What binds a lane is its own: calls of its mailbox within the minute, what Microsoft asked of it, an operator. So only a mail is
//! looked at whose lane was quiet before it, and never asked to wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{Message, Outcome, ResellerId};

use super::Fault;

/// A replica that holds the lane may die, and the next one too.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);
/// Calls of other lanes meanwhile, from which on it is no outage of all.
const SERVED: usize = 20;
/// A lane without a call for so long is bound by none of its own.
const QUIET: Duration = Duration::from_secs(61);

struct Call {
    reseller: ResellerId,
    start: Timestamp,
    asks_to_wait: bool,
}

/// `stopped`: lanes that an operator, settings or a day's limit stopped at some time.
pub(super) fn check(messages: &[Message], stopped: &BTreeSet<ResellerId>) -> Vec<Fault> {
    let mut calls: Vec<Call> = messages.iter().flat_map(calls_of).collect();
    calls.sort_by_key(|call| call.start);
    let mut lanes: BTreeMap<&ResellerId, Vec<&Call>> = BTreeMap::new();
    for call in &calls {
        lanes.entry(&call.reseller).or_default().push(call);
    }
    let mut faults = Vec::new();
    for message in messages.iter().filter(|message| !stopped.contains(&message.reseller)) {
        let Some(first) = message.attempts.first() else { continue };
        let due = message.send_time.map_or(message.create_time, |send| send.max(message.create_time));
        let (waited, lane) = (first.start_time.duration_since(due), &lanes[&message.reseller]);
        let own = || lane.iter().take_while(|call| call.start < first.start_time);
        let is_bound = || own().any(|call| call.asks_to_wait || call.start + QUIET > due);
        if waited <= PATIENCE || is_bound() {
            continue;
        }
        let of_others = |call: &&Call| call.reseller != message.reseller && call.start > due;
        let served = calls.iter().take_while(|call| call.start < first.start_time).filter(of_others).count();
        if served >= SERVED {
            let (id, reseller) = (message.id, &message.reseller);
            faults.push(Fault::Unfair(format!(
                "{id} of {reseller} waited for {waited:#} while others were served {served} times"
            )));
        }
    }
    faults
}

fn calls_of(message: &Message) -> impl Iterator<Item = Call> {
    message.attempts.iter().map(|attempt| Call {
        reseller: message.reseller.clone(),
        start: attempt.start_time,
        asks_to_wait: attempt.outcome == Some(Outcome::Deferred),
    })
}

#[cfg(test)]
mod tests {
    use postrider_domain::{Attempt, AttemptNumber, MessageId, MessageState};
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    /// Of a lane: accepted at a second, tried at another.
    fn mail(reseller: &str, number: u128, accepted: i64, tried: i64, outcome: Outcome) -> Message {
        let attempt = Attempt {
            number: AttemptNumber(1),
            start_time: at(tried),
            end_time: Some(at(tried)),
            outcome: Some(outcome),
            finding: None,
            graph_request_id: None,
        };
        Message {
            reseller: ResellerId::parse(reseller).unwrap(),
            id: MessageId::of_uuid(Uuid::from_u128(number)),
            request_id: None,
            state: MessageState::Sent,
            internet_message_id: None,
            create_time: at(accepted),
            update_time: at(tried),
            send_time: None,
            expire_time: at(1_000_000),
            next_attempt_time: None,
            attempts: vec![attempt],
            finding: None,
            subject: String::new(),
            recipient_count: 1,
            labels: postrider_domain::Labels::new(),
        }
    }

    /// One lane that is served every ten seconds, and the mail that is judged.
    fn beside_a_busy_lane(judged: impl IntoIterator<Item = Message>) -> Vec<Fault> {
        let busy =
            (0_u32..60).map(|number| mail("busy", number.into(), 0, i64::from(number) * 10, Outcome::Sent));
        let messages: Vec<_> = busy.chain(judged).collect();
        check(&messages, &BTreeSet::new())
    }

    #[test]
    fn a_lane_that_is_passed_over_while_another_is_served_is_told() {
        let faults = beside_a_busy_lane([mail("acme", 100, 100, 400, Outcome::Sent)]);
        assert!(matches!(faults.as_slice(), [Fault::Unfair(_)]), "{faults:?}");
    }

    #[test]
    fn a_lane_that_is_served_soon_is_treated_well() {
        assert_eq!(beside_a_busy_lane([mail("acme", 100, 100, 130, Outcome::Sent)]), []);
    }

    #[test]
    fn a_lane_that_microsoft_asked_to_wait_is_bound_and_so_is_one_with_calls_of_its_own() {
        for bound in [Outcome::Deferred, Outcome::Sent] {
            let own = mail("acme", 99, 60, 90, bound);
            assert_eq!(beside_a_busy_lane([own, mail("acme", 100, 100, 400, Outcome::Sent)]), []);
        }
    }

    #[test]
    fn a_lane_that_somebody_stopped_is_not_judged() {
        let stopped = [ResellerId::parse("acme").unwrap()].into();
        let busy =
            (0_u32..60).map(|number| mail("busy", number.into(), 0, i64::from(number) * 10, Outcome::Sent));
        let messages: Vec<_> = busy.chain([mail("acme", 100, 100, 400, Outcome::Sent)]).collect();
        assert_eq!(check(&messages, &stopped), []);
    }
}
