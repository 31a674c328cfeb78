//! Events: every change once, in order, without a gap; a message as it was then.

use std::time::Duration;

use postrider_domain::{FindingCode, Message, MessageState, Outcome, ResellerId};

use super::{World, at, held_by, hold, sent, token};
use crate::{Change, Event, NewMessage, Position};

async fn events(world: &World, reseller: &ResellerId, after: i64) -> Vec<Event> {
    world.store.events(reseller, after, 100).await.expect("an answer").expect("none is gone")
}

/// As soon as there are so many: where a server has other databases, their transactions may hold events back.
async fn all(world: &World, after: &Position, count: u32) -> Vec<Event> {
    loop {
        let events = world.store.all_events(after, 100).await.expect("an answer").expect("none is gone");
        if events.len() >= count as usize {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn message(event: &Event) -> &Message {
    match &event.change {
        Change::Message(Some(message)) => message,
        other => panic!("not of a message: {other:?}"),
    }
}

fn states(events: &[Event]) -> Vec<MessageState> {
    events.iter().map(|event| message(event).state).collect()
}

pub async fn each_change_is_told_once_with_the_message_as_it_was(world: &World) {
    let acme = world.reseller("acme").await;
    let accepted = world.accepts(world.mail(&acme)).await;
    world.advance(1);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), accepted.id, 1).await);
    world.advance(1);
    world.ends(&acme, accepted.id, 1, sent()).await;
    let events = events(world, &acme, 0).await;
    assert_eq!(states(&events), [MessageState::Accepted, MessageState::Sending, MessageState::Sent]);
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(*message(&events[0]), accepted);
    let flying = message(&events[1]).attempts.first().expect("in flight").clone();
    assert_eq!((flying.end_time, flying.outcome, flying.graph_request_id), (None, None, None));
    assert_eq!(*message(&events[2]), world.message(&acme, accepted.id).await);
    assert_eq!(events[2].time, at(2));
    assert_eq!(world.store.last_event(&acme).await.expect("an answer"), 3);
}

pub async fn a_reader_goes_on_after_what_it_has_seen(world: &World) {
    let acme = world.reseller("acme").await;
    for _ in 0..5 {
        world.accepted(&acme).await;
    }
    let first = world.store.events(&acme, 0, 2).await.expect("an answer").expect("none is gone");
    assert_eq!(first.iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2]);
    let rest = events(world, &acme, 2).await;
    assert_eq!(rest.iter().map(|event| event.number).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(events(world, &acme, 5).await.is_empty());
}

pub async fn a_lane_that_is_stopped_or_freed_is_told_once(world: &World) {
    let (acme, held) = world.held_lane("acme", 600).await;
    let told = events(world, &acme, 0).await;
    let [_, _, lane, deferred] = told.as_slice() else { panic!("four: {told:?}") };
    let Change::Lane { state, finding } = &lane.change else { panic!("the lane: {lane:?}") };
    assert_eq!(*state, MessageState::Held);
    assert_eq!(finding.as_ref().map(|finding| finding.code), Some(FindingCode::SecretWrong));
    assert_eq!(message(deferred).state, MessageState::Held, "it reads as held from then on");
    assert_eq!(message(deferred).attempts[0].outcome, Some(Outcome::Deferred));
    world.accepted(&acme).await;
    world.put(world.new_settings(&acme)).await;
    let told = events(world, &acme, 4).await;
    let [accepted, lane] = told.as_slice() else { panic!("two: {told:?}") };
    assert_eq!(message(accepted).state, MessageState::Held);
    assert!(matches!(lane.change, Change::Lane { state: MessageState::Accepted, finding: None }));
    let waited = world.store.waited(lane, None, 10).await.expect("waited");
    assert_eq!(waited.len(), 2);
    let rest = world.store.waited(lane, Some(held), 10).await.expect("waited");
    assert_eq!(rest.iter().map(|message| message.id).collect::<Vec<_>>(), [message(accepted).id]);
}

pub async fn a_lanes_event_is_told_of_all_that_waited_then_whatever_became_of_it(world: &World) {
    let (acme, tried) = world.held_lane("acme", 600).await;
    let waits = world.accepted(&acme).await;
    world.put(world.new_settings(&acme)).await;
    world.store.pause(&acme, "a look at it").await.expect("paused");
    world.store.resume(&acme).await.expect("resumed");
    let told = events(world, &acme, 0).await;
    let lane: Vec<_> = told.into_iter().filter(|event| matches!(event.change, Change::Lane { .. })).collect();
    let [held, freed, paused, resumed] = lane.as_slice() else { panic!("four: {lane:?}") };
    let mut before = Vec::new();
    for event in [held, freed, paused, resumed] {
        before.push(world.store.waited(event, None, 10).await.expect("waited"));
    }
    let seen = |told: &[Message]| told.iter().map(|message| (message.id, message.state)).collect::<Vec<_>>();
    assert_eq!(seen(&before[0]), [], "the first was on its way, the second not yet there");
    assert_eq!(seen(&before[1]), [(tried, MessageState::Deferred), (waits, MessageState::Accepted)]);
    assert_eq!(seen(&before[2]), [(tried, MessageState::Held), (waits, MessageState::Held)]);
    assert_eq!(seen(&before[3]), seen(&before[1]));

    world.advance(1);
    assert!(matches!(world.store.cancel(&acme, &waits).await, Ok(crate::Steered::Done)));
    world.tries(&acme, tried, 2, sent()).await;

    for (event, before) in [held, freed, paused, resumed].into_iter().zip(before) {
        let mut after = world.store.waited(event, None, 10).await.expect("waited");
        for (after, before) in after.iter_mut().zip(&before) {
            // When one that waits no more would have been tried is not known.
            after.next_attempt_time = before.next_attempt_time;
        }
        assert_eq!(after, before);
    }
}

pub async fn scheduled_mail_that_comes_due_in_a_stopped_lane_is_told_as_held(world: &World) {
    let acme = world.reseller("acme").await;
    let early = NewMessage { send_time: Some(at(10)), ..world.mail(&acme) };
    let early = world.accepts(early).await.id;
    world.store.pause(&acme, "a look at it").await.expect("paused");
    let late = NewMessage { send_time: Some(at(20)), ..world.mail(&acme) };
    let late = world.accepts(late).await.id;
    for (id, due) in [(early, 10), (late, 20)] {
        assert_eq!(world.next_due().await, Some(at(due)));
        assert_eq!(world.state(&acme, id).await, MessageState::Scheduled);
        world.advance(10);
        world.leased(&acme, token(1)).await;
        assert!(world.store.expire(&acme, token(1)).await.expect("an answer").is_empty());
        world.release(&acme, token(1)).await;
        let last = events(world, &acme, 0).await.pop().expect("an event");
        assert_eq!((message(&last).id, message(&last).state), (id, MessageState::Held));
        assert_eq!(*message(&last), world.message(&acme, id).await);
    }
    world.store.resume(&acme).await.expect("resumed");
    let resumed = events(world, &acme, 0).await.pop().expect("an event");
    let waited = world.store.waited(&resumed, None, 10).await.expect("waited");
    assert!(waited.iter().all(|message| message.state == MessageState::Accepted), "{waited:?}");
    assert_eq!(waited.len(), 2);
}

pub async fn the_events_of_all_resellers_come_in_the_order_of_their_commits(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let start = world.store.last_position().await.expect("a position");
    let mut order = Vec::new();
    for reseller in [&beta, &acme, &acme, &beta] {
        order.push(world.accepted(reseller).await);
    }
    let ids = |events: &[Event]| events.iter().map(|event| message(event).id).collect::<Vec<_>>();
    let told = all(world, &start, 4).await;
    assert_eq!(ids(&told), order);
    let first = world.store.all_events(&start, 2).await.expect("an answer").expect("none is gone");
    let rest = all(world, &first[1].position(), 2).await;
    assert_eq!([ids(&first), ids(&rest)].concat(), order);
    let end = told.last().expect("four").position();
    assert!(all(world, &end, 0).await.is_empty());
    let now = world.store.last_position().await.expect("a position");
    assert!(now.order >= end.order && all(world, &now, 0).await.is_empty());
}

pub async fn a_position_that_no_event_can_have_is_not_taken(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    let now = world.store.last_position().await.expect("a position");
    let elsewhere = Position { order: now.order + 1_000_000, ..now };
    assert_eq!(world.store.all_events(&elsewhere, 10).await.expect("an answer"), None, "of another database");
}

pub async fn a_database_that_was_restored_has_an_epoch_of_its_own_from_then_on(world: &World) {
    assert_eq!(world.store.epoch().await.expect("an answer"), None);
    for epoch in ["first", "second"] {
        world.store.begin_epoch(epoch).await.expect("begun");
        assert_eq!(world.store.epoch().await.expect("an answer").as_deref(), Some(epoch));
    }
}

pub async fn events_of_the_past_go_and_whoever_missed_them_is_told(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let start = world.store.last_position().await.expect("a position");
    world.accepted(&acme).await;
    world.accepted(&beta).await;
    world.advance(7 * 86_400 + 1);
    world.accepted(&acme).await;
    while world.store.purge().await.expect("purged") {}
    assert_eq!(world.store.events(&acme, 0, 10).await.expect("an answer"), None);
    assert_eq!(events(world, &acme, 1).await.len(), 1);
    assert_eq!(world.store.events(&beta, 0, 10).await.expect("an answer"), None);
    assert!(events(world, &beta, 1).await.is_empty());
    assert_eq!(world.store.all_events(&start, 10).await.expect("an answer"), None);
    let from_the_future = world.store.events(&beta, 9, 10).await.expect("an answer");
    assert_eq!(from_the_future, None, "such as of another database");
}

pub async fn changes_are_heard_after_their_commit(world: &World) {
    let acme = world.reseller("acme").await;
    let mut changes = world.store.changes();
    let id = world.accepted(&acme).await;
    let heard = changes.recv().await.expect("a change");
    assert_eq!(heard, crate::Changed::Message(acme.clone(), Some(id)));
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 1).await);
    world.ends(&acme, id, 1, held_by(hold(30))).await;
    let mut heard = Vec::new();
    while let Ok(change) = changes.try_recv() {
        heard.push(change);
    }
    assert!(heard.contains(&crate::Changed::Message(acme, None)), "the lane: {heard:?}");
}
