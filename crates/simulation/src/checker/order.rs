//! Order within a lane, among equals: what its caller knew of before another was asked for starts before it, and so do the items
//! of one batch that were accepted by one answer, in their order.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Message, MessageId, Priority, ResellerId};

use super::{Asked, BatchItem, CLOCKS_APART, Fault};

#[derive(Debug, Clone, Copy)]
struct Started {
    id: MessageId,
    /// When its caller knew of it.
    acknowledged: Timestamp,
    asked: Timestamp,
    batch: Option<BatchItem>,
    start: Timestamp,
}

/// `apart`: by how much the clocks of two who start attempts differ.
pub(super) fn check(
    messages: &[Message],
    asked: &BTreeMap<(&ResellerId, &str), &Asked>,
    apart: Duration,
) -> Vec<Fault> {
    let mut lanes: BTreeMap<(&ResellerId, Priority), Vec<Started>> = BTreeMap::new();
    for message in messages {
        let request = message.request_id.as_ref().map_or("", |id| id.as_str());
        let Some(asked) = asked.get(&(&message.reseller, request)) else { continue };
        let (Some(first), Some((_, acknowledged))) = (message.attempts.first(), asked.acknowledged) else {
            continue;
        };
        if asked.send_time.is_none() && !asked.was_retried && !asked.is_large {
            let (id, batch, start) = (message.id, asked.batch, first.start_time);
            let started = Started { id, acknowledged, asked: message.create_time, batch, start };
            lanes.entry((&message.reseller, asked.priority)).or_default().push(started);
        }
    }
    let mut faults = Vec::new();
    for ((reseller, _), lane) in lanes {
        for (first, second) in [out_of_order(&lane), batch_out_of_order(&lane, apart)].into_iter().flatten() {
            faults.push(Fault::OutOfOrder(format!("{second} of {reseller} before {first}")));
        }
    }
    faults
}

/// Two of which the first was acknowledged before the second was asked for, and started after it.
fn out_of_order(lane: &[Started]) -> Option<(MessageId, MessageId)> {
    let mut by_asked: Vec<_> = lane.iter().map(|one| (one.asked, one.start, one.id)).collect();
    by_asked.sort();
    let mut by_acknowledged = lane.to_vec();
    by_acknowledged.sort_by_key(|one| one.acknowledged);
    let mut acknowledged = by_acknowledged.iter().peekable();
    let mut last: Option<&Started> = None;
    for (asked, start, id) in by_asked {
        while let Some(one) = acknowledged.next_if(|one| one.acknowledged + CLOCKS_APART < asked) {
            last = last.filter(|last| last.start > one.start).or(Some(one));
        }
        if let Some(last) = last.filter(|last| last.start > start) {
            return Some((last.id, id));
        }
    }
    None
}

/// Two items of one answer, of which the later one started first.
fn batch_out_of_order(lane: &[Started], apart: Duration) -> Option<(MessageId, MessageId)> {
    let mut items: Vec<_> = lane.iter().filter_map(|one| Some((one.batch?, one))).collect();
    items.sort_by_key(|(item, _)| *item);
    let is_wrong = |two: &[(BatchItem, &Started)]| {
        two[0].0.answer == two[1].0.answer && two[0].1.start > two[1].1.start + apart
    };
    let wrong = items.windows(2).find(|two| is_wrong(two))?;
    Some((wrong[0].1.id, wrong[1].1.id))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const APART: Duration = Duration::from_millis(100);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000_000_000 + millis).unwrap()
    }

    /// Items of an answer, each started so many milliseconds after it.
    fn answer(answer: u64, starts: &[i64]) -> Vec<Started> {
        let item = |(place, start): (usize, &i64)| Started {
            id: MessageId::of_uuid(Uuid::from_u128(u128::from(answer) * 100 + place as u128)),
            acknowledged: at(0),
            asked: at(0),
            batch: Some(BatchItem { answer, place }),
            start: at(*start),
        };
        starts.iter().enumerate().map(item).collect()
    }

    #[test]
    fn items_of_one_answer_that_start_in_another_order_are_told() {
        let lane = answer(1, &[10, 400, 200]);
        assert_eq!(batch_out_of_order(&lane, APART), Some((lane[1].id, lane[2].id)));
    }

    #[test]
    fn items_that_start_in_their_order_or_as_near_as_clocks_can_tell_are_well() {
        assert_eq!(batch_out_of_order(&answer(1, &[10, 20, 20, 300]), APART), None);
        assert_eq!(batch_out_of_order(&answer(1, &[100, 0, 300]), APART), None);
    }

    #[test]
    fn two_answers_are_not_compared() {
        let lane = [answer(1, &[500, 600]), answer(2, &[10, 20])].concat();
        assert_eq!(batch_out_of_order(&lane, APART), None);
    }

    #[test]
    fn mail_that_overtakes_what_was_acknowledged_before_it_was_asked_for_is_told() {
        let mut lane = answer(1, &[5_000, 4_000]);
        lane[1].asked = at(2_000);
        assert_eq!(out_of_order(&lane), Some((lane[0].id, lane[1].id)));
    }
}
