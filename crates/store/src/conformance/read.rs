//! Read: a message as its caller sees it, and pages of them.

use postrider_domain::{FindingCode, Labels, Message, MessageId, MessageState, Priority, ResellerId, limits};

use super::{World, at, held_by, hold, sent, token};
use crate::{MessageFilter, MessagePage, NewMessage};

async fn page(world: &World, reseller: &ResellerId, filter: MessageFilter) -> MessagePage {
    world.store.list_messages(reseller, filter).await.expect("a page")
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

pub async fn another_resellers_message_is_not_found(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let id = world.accepted(&acme).await;
    assert_eq!(world.store.get_message(&beta, &id).await.expect("an answer"), None);
    assert_eq!(world.store.content(&beta, &id).await.expect("an answer"), None);
    let all = MessageFilter { limit: 10, ..Default::default() };
    assert!(page(world, &beta, all).await.messages.is_empty());
}

pub async fn pages_go_from_the_newest_to_the_oldest(world: &World) {
    let acme = world.reseller("acme").await;
    let (a, b, c) = (world.accepted(&acme).await, world.accepted(&acme).await, world.accepted(&acme).await);
    let first = page(world, &acme, MessageFilter { limit: 2, ..Default::default() }).await;
    assert_eq!((ids(&first.messages), first.more), (vec![c, b], true));
    let rest = MessageFilter { limit: 2, before: Some(b), ..Default::default() };
    let last = page(world, &acme, rest).await;
    assert_eq!((ids(&last.messages), last.more), (vec![a], false));
    assert_eq!(last.messages, [world.message(&acme, a).await]);
}

pub async fn all_given_labels_match(world: &World) {
    let acme = world.reseller("acme").await;
    let labels = |pairs: &[(&str, &str)]| -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let both = NewMessage { labels: labels(&[("a.b/c", "1"), ("d", "\"2\"")]), ..world.mail(&acme) };
    world.accepts(NewMessage { labels: labels(&[("a.b/c", "1")]), ..world.mail(&acme) }).await;
    world.accepts(both.clone()).await;
    let filter = |wanted| MessageFilter { labels: wanted, limit: 10, ..Default::default() };
    assert_eq!(page(world, &acme, filter(labels(&[("a.b/c", "1")]))).await.messages.len(), 2);
    assert_eq!(ids(&page(world, &acme, filter(both.labels)).await.messages), [both.id]);
    assert!(page(world, &acme, filter(labels(&[("a.b/c", "2")]))).await.messages.is_empty());
}

pub async fn a_message_tells_when_it_is_likely_to_go_by_its_place_and_its_pace(world: &World) {
    let acme = world.reseller("acme").await;
    let mut lowered = world.new_settings(&acme);
    lowered.values.pace.messages_per_minute = Some(2);
    world.put(lowered).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.accepted(&acme).await);
    }
    ids.push(world.accepts(NewMessage { send_time: Some(at(30)), ..world.mail(&acme) }).await.id);
    ids.push(world.accepts(NewMessage { send_time: Some(at(900)), ..world.mail(&acme) }).await.id);
    let minutes = |count: u32| Some(at(0) + limits::PACE_MINUTE * count);
    let likely = async || {
        let mut times = Vec::new();
        for id in &ids {
            times.push(world.message(&acme, *id).await.next_attempt_time);
        }
        times
    };
    assert_eq!(likely().await, [minutes(0), minutes(0), minutes(1), minutes(1), minutes(2), Some(at(900))]);
    let urgent = NewMessage { priority: Priority::Urgent, ..world.mail(&acme) };
    let urgent = world.accepts(urgent).await.id;
    assert_eq!(world.message(&acme, urgent).await.next_attempt_time, minutes(0));
    let after_it = [minutes(0), minutes(1), minutes(1), minutes(2), minutes(2), Some(at(900))];
    assert_eq!(likely().await, after_it);
    let listed = world.all(&acme).await;
    let of =
        |id| listed.iter().find(|message| message.id == id).and_then(|message| message.next_attempt_time);
    assert_eq!(ids.iter().map(|id| of(*id)).collect::<Vec<_>>(), after_it);
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(10))).await.expect("released");
    assert_eq!(likely().await[3], Some(at(10) + limits::PACE_MINUTE * 2), "not before the lane goes on");
}

pub async fn a_waiting_message_of_a_held_lane_reads_as_held(world: &World) {
    let acme = world.reseller("acme").await;
    let (tried, other) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.tries(&acme, tried, 1, held_by(hold(30))).await;
    for id in [tried, other] {
        let message = world.message(&acme, id).await;
        assert_eq!((message.state, message.next_attempt_time), (MessageState::Held, None));
        assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::SecretWrong));
    }
}

pub async fn a_scheduled_message_is_held_only_once_its_time_has_come(world: &World) {
    let (acme, _) = world.held_lane("acme", 600).await;
    let later = NewMessage { send_time: Some(at(100)), ..world.mail(&acme) };
    let message = world.accepts(later).await;
    assert_eq!(message.state, MessageState::Scheduled);
    world.advance(100);
    assert_eq!(world.state(&acme, message.id).await, MessageState::Held);
}

pub async fn lists_filter_by_the_state_that_is_seen(world: &World) {
    let acme = world.reseller("acme").await;
    let done = world.accepted(&acme).await;
    world.tries(&acme, done, 1, sent()).await;
    let (tried, other) = (world.accepted(&acme).await, world.accepted(&acme).await);
    let later = world.accepts(NewMessage { send_time: Some(at(100)), ..world.mail(&acme) }).await.id;
    world.tries(&acme, tried, 1, held_by(hold(300))).await;
    let of =
        |states: &[MessageState]| MessageFilter { states: states.to_vec(), limit: 10, ..Default::default() };
    assert_eq!(ids(&page(world, &acme, of(&[MessageState::Held])).await.messages), [other, tried]);
    assert_eq!(ids(&page(world, &acme, of(&[MessageState::Scheduled])).await.messages), [later]);
    let waiting = of(&[MessageState::Accepted, MessageState::Deferred]);
    assert!(page(world, &acme, waiting).await.messages.is_empty());
    let ended = of(&[MessageState::Sent, MessageState::Failed]);
    assert_eq!(ids(&page(world, &acme, ended).await.messages), [done]);
    world.advance(100);
    assert_eq!(ids(&page(world, &acme, of(&[MessageState::Held])).await.messages), [later, other, tried]);
}

pub async fn the_next_attempt_is_told_after_the_lanes_wait(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    assert_eq!(world.message(&acme, id).await.next_attempt_time, Some(at(0)));
    world.leased(&acme, super::token(1)).await;
    world.store.release(&acme, super::token(1), Some(at(20))).await.expect("released");
    assert_eq!(world.message(&acme, id).await.next_attempt_time, Some(at(20)));
    world.advance(20);
    world.tries(&acme, id, 1, sent()).await;
    assert_eq!(world.message(&acme, id).await.next_attempt_time, None);
}
