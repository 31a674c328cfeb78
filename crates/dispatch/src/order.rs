//! The order of a lane: urgent before normal before bulk, and within a priority as they were accepted.
//!
//! A low priority moves too: every fourth turn goes to the message that has waited longest, whatever its priority. So
//! what is never urgent still has a quarter of the mailbox's turns.

use std::collections::VecDeque;

use postrider_domain::{Bug, Queued, planted};

const OLDEST_EVERY: u32 = 4;

/// Messages read ahead, as the store gives them: by priority, due time and id.
#[derive(Debug, Default)]
pub(crate) struct Order {
    queue: VecDeque<Queued>,
    turns: u32,
}

impl Order {
    pub(crate) fn refill(&mut self, queued: Vec<Queued>) {
        self.queue = queued.into();
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> Option<&Queued> {
        self.queue.get(self.index()?)
    }

    /// The same, which has its turn.
    pub(crate) fn take(&mut self) -> Option<Queued> {
        let queued = self.queue.remove(self.index()?);
        self.turns = self.turns.wrapping_add(1);
        // What else was read ahead of a priority that is through may be older than what comes after it.
        if self.queue.iter().all(|other| Some(other.priority) != queued.as_ref().map(|one| one.priority)) {
            self.queue.clear();
        }
        queued
    }

    fn index(&self) -> Option<usize> {
        let is_oldests_turn = self.turns % OLDEST_EVERY == OLDEST_EVERY - 1;
        let oldest = || {
            let waits = self.queue.iter().enumerate();
            waits.min_by_key(|(_, queued)| (queued.due_time, queued.id)).map(|(index, _)| index)
        };
        if planted(Bug::LastInFirstOut) {
            return self.queue.len().checked_sub(1);
        }
        if is_oldests_turn { oldest() } else { (!self.queue.is_empty()).then_some(0) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postrider_domain::{InDoubtPolicy, MessageId, Priority};

    use super::*;

    fn queued(number: u128, priority: Priority, due: i64) -> Queued {
        Queued {
            id: MessageId::of_uuid(uuid::Uuid::from_u128(number)),
            priority,
            attempts: 0,
            backoffs: 0,
            in_doubt: false,
            policy: InDoubtPolicy::AtLeastOnce,
            due_time: Timestamp::from_second(due).expect("in range"),
            expire_time: Timestamp::MAX,
            recipient_count: 1,
            content_bytes: 1_000,
        }
    }

    fn taken(order: &mut Order, count: usize) -> Vec<u128> {
        let taken = std::iter::from_fn(|| order.take()).take(count);
        taken.map(|queued| queued.id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn every_fourth_turn_is_the_oldests() {
        let mut order = Order::default();
        let urgent = (1..=9).map(|n| queued(n, Priority::Urgent, 100));
        let bulk = (51..=59).map(|n| queued(n, Priority::Bulk, 0));
        order.refill(urgent.chain(bulk).collect());
        assert_eq!(taken(&mut order, 8), [1, 2, 3, 51, 4, 5, 6, 52]);
    }

    #[test]
    fn among_equals_the_first_accepted_goes_first() {
        let mut order = Order::default();
        order.refill((1..=9).map(|n| queued(n, Priority::Normal, 0)).collect());
        assert_eq!(taken(&mut order, 9), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn when_a_priority_is_through_the_store_is_asked_for_more_of_it() {
        let mut order = Order::default();
        order.refill(vec![queued(1, Priority::Urgent, 0), queued(2, Priority::Normal, 0)]);
        assert_eq!(taken(&mut order, 2), [1], "there may be more that is urgent");
        assert!(order.is_empty());
    }
}
