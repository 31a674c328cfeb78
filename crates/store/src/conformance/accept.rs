//! Accept: durable, idempotent, and a due lane.

use std::collections::HashSet;

use postrider_domain::{FindingCode, MessageState, Outcome, Resolution, Verdict};

use super::{UNBOUNDED, World, at, sent};
use crate::{Accepted, AllAccepted, ContentHash, NewMessage, QueueBounds, Refused};

pub async fn an_accepted_message_reads_back_as_it_was_answered(world: &World) {
    let acme = world.reseller("acme").await;
    let new = NewMessage {
        labels: [("order".to_owned(), "4711".to_owned())].into(),
        recipient_count: 3,
        ..world.mail_of_request(&acme, "order-4711")
    };
    let answered = world.accepts(new.clone()).await;
    assert_eq!(answered.state, MessageState::Accepted);
    assert_eq!(answered, world.message(&acme, new.id).await);
    let content = world.store.content(&acme, &new.id).await.expect("content").expect("kept");
    assert_eq!((content.body.to_vec(), content.internet_message_id), (new.content, new.internet_message_id));
    assert_eq!(content.create_time, new.create_time);
}

pub async fn without_settings_nothing_is_accepted(world: &World) {
    let nobody = World::slug("nobody");
    let new = world.mail(&nobody);
    let answer = world.store.accept(new.clone(), UNBOUNDED).await.expect("an answer");
    assert!(matches!(answer, Accepted::Refused(Refused::SettingsMissing)), "{answer:?}");
    assert_eq!(world.store.get_message(&nobody, &new.id).await.expect("an answer"), None);
}

pub async fn the_same_request_is_the_same_message(world: &World) {
    let acme = world.reseller("acme").await;
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    match world.store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await.expect("an answer") {
        Accepted::Replayed(again) => assert_eq!(*again, first),
        other => panic!("not replayed: {other:?}"),
    }
    let page =
        world.store.list_messages(&acme, crate::MessageFilter { limit: 10, ..Default::default() }).await;
    assert_eq!(page.expect("a page").messages.len(), 1);
}

pub async fn a_request_id_with_other_content_is_refused(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepts(world.mail_of_request(&acme, "order-1")).await;
    let other = NewMessage { content_hash: ContentHash([2; 32]), ..world.mail_of_request(&acme, "order-1") };
    let answer = world.store.accept(other, UNBOUNDED).await.expect("an answer");
    assert!(matches!(answer, Accepted::Refused(Refused::RequestIdReused)), "{answer:?}");
}

pub async fn a_replay_is_answered_after_the_settings_are_gone(world: &World) {
    let acme = world.reseller("acme").await;
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    world.store.delete_settings(&acme, None, true, world.now()).await.expect("deleted");
    match world.store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await.expect("an answer") {
        Accepted::Replayed(again) => assert_eq!((again.id, again.state), (first.id, MessageState::Cancelled)),
        other => panic!("not replayed: {other:?}"),
    }
}

pub async fn a_replay_tells_the_message_as_it_is_now(world: &World) {
    let acme = world.reseller("acme").await;
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    world.tries(&acme, first.id, 1, sent()).await;
    match world.store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await.expect("an answer") {
        Accepted::Replayed(again) => assert_eq!((again.state, again.attempts.len()), (MessageState::Sent, 1)),
        other => panic!("not replayed: {other:?}"),
    }
}

pub async fn concurrent_twins_are_one_message(world: &World) {
    let acme = world.reseller("acme").await;
    let twins = (0..64).map(|_| {
        let (store, new) = (world.store.clone(), world.mail_of_request(&acme, "order-1"));
        tokio::spawn(async move { store.accept(new, UNBOUNDED).await })
    });
    let (mut new, mut ids) = (0, HashSet::new());
    for twin in twins.collect::<Vec<_>>() {
        match twin.await.expect("joined").expect("an answer") {
            Accepted::New(message) => {
                new += 1;
                ids.insert(message.id);
            }
            Accepted::Replayed(message) => {
                ids.insert(message.id);
            }
            other @ Accepted::Refused(_) => panic!("neither new nor replayed: {other:?}"),
        }
    }
    assert_eq!((new, ids.len()), (1, 1));
}

pub async fn a_request_id_is_its_resellers_own(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    let second = world.accepts(world.mail_of_request(&beta, "order-1")).await;
    assert_ne!(first.id, second.id);
}

pub async fn what_was_accepted_before_is_told_without_storing(world: &World) {
    let acme = world.reseller("acme").await;
    let new = world.mail_of_request(&acme, "order-1");
    let request_id = new.request_id.clone().expect("given");
    let told = |hash| world.store.accepted_before(&acme, &request_id, hash);
    assert!(told(&new.content_hash).await.expect("an answer").is_none());
    world.accepts(new.clone()).await;
    let same = told(&new.content_hash).await.expect("an answer");
    assert!(matches!(&same, Some(Accepted::Replayed(first)) if first.id == new.id), "{same:?}");
    let other = told(&ContentHash([2; 32])).await.expect("an answer");
    assert!(matches!(other, Some(Accepted::Refused(Refused::RequestIdReused))), "{other:?}");
}

pub async fn a_message_makes_its_lane_due(world: &World) {
    let acme = world.reseller("acme").await;
    assert_eq!(world.next_due().await, None);
    world.accepted(&acme).await;
    assert_eq!(world.next_due().await, Some(at(0)));
    assert!(world.is_due(&acme).await);
}

pub async fn a_message_for_later_is_scheduled_and_its_lane_is_due_then(world: &World) {
    let acme = world.reseller("acme").await;
    let new = NewMessage { send_time: Some(at(50)), ..world.mail(&acme) };
    let message = world.accepts(new).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Scheduled, Some(at(50))));
    assert_eq!(message, world.message(&acme, message.id).await);
    assert_eq!(world.next_due().await, Some(at(50)));
    world.accepted(&acme).await;
    assert_eq!(world.next_due().await, Some(at(0)));
}

pub async fn a_message_does_not_hasten_a_held_lane(world: &World) {
    let (acme, _) = world.held_lane("acme", 30).await;
    let message = world.accepts(world.mail(&acme)).await;
    assert_eq!(message.state, MessageState::Held);
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::SecretWrong));
    assert_eq!(world.next_due().await, Some(at(30)));
}

pub async fn a_message_does_not_hasten_a_waiting_lane(world: &World) {
    let acme = world.reseller("acme").await;
    let first = world.accepted(&acme).await;
    let throttled = Verdict::of(Outcome::Deferred, postrider_domain::Finding::new(FindingCode::Throttled));
    world.tries(&acme, first, 1, (throttled, Resolution::LaneWaits { until: at(40) })).await;
    let message = world.accepts(world.mail(&acme)).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Accepted, Some(at(40))));
    assert_eq!(world.next_due().await, Some(at(40)));
}

fn room_for(messages: i64) -> QueueBounds {
    QueueBounds { messages, ..UNBOUNDED }
}

pub async fn a_full_queue_takes_nothing_new_and_still_tells_a_replay(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    world.accepted(&acme).await;
    let full = |answer| matches!(answer, Ok(Accepted::Refused(Refused::QueueFull)));
    assert!(full(world.store.accept(world.mail(&acme), room_for(2)).await));
    let again = world.store.accept(world.mail_of_request(&acme, "order-1"), room_for(2)).await;
    assert!(matches!(again, Ok(Accepted::Replayed(message)) if message.id == first.id));
    let few_bytes = QueueBounds { bytes: 15, ..UNBOUNDED };
    assert!(full(world.store.accept(world.mail(&acme), few_bytes).await), "12 bytes are there");
    let others = world.store.accept(world.mail(&beta), room_for(2)).await;
    assert!(matches!(others, Ok(Accepted::New(_))), "it is acme's queue that is full");
    let queue = world.store.queue().await.expect("an answer");
    assert_eq!(queue.messages, 3);
}

pub async fn an_end_gives_its_place_in_the_queue_back(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.tries(&acme, id, 1, sent()).await;
    let other = world.store.accept(world.mail(&acme), room_for(1)).await;
    assert!(matches!(other, Ok(Accepted::New(_))), "{other:?}");
}

pub async fn many_are_accepted_together_or_not_at_all(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepts(world.mail_of_request(&acme, "order-1")).await;
    let (good, twin) = (world.mail_of_request(&acme, "order-2"), world.mail_of_request(&acme, "order-2"));
    let reused = NewMessage { content_hash: ContentHash([2; 32]), ..world.mail_of_request(&acme, "order-1") };
    let none = world.store.accept_all(vec![good.clone(), reused], UNBOUNDED).await.expect("an answer");
    assert!(matches!(none, AllAccepted::None(1, Refused::RequestIdReused)), "{none:?}");
    let other = NewMessage { content_hash: ContentHash([2; 32]), ..world.mail_of_request(&acme, "order-2") };
    let none = world.store.accept_all(vec![good.clone(), other], UNBOUNDED).await.expect("an answer");
    assert!(matches!(none, AllAccepted::None(1, Refused::RequestIdReused)), "twins are one: {none:?}");
    assert_eq!(world.all(&acme).await.len(), 1);
    let known = world.mail_of_request(&acme, "order-1");
    let mails = vec![good.clone(), world.mail(&acme), known, twin];
    let AllAccepted::All(all) = world.store.accept_all(mails, UNBOUNDED).await.expect("an answer") else {
        panic!("refused");
    };
    let [Accepted::New(first), Accepted::New(_), Accepted::Replayed(_), Accepted::Replayed(again)] = &all[..]
    else {
        panic!("two new, two replayed: {all:?}")
    };
    assert_eq!((first.id, again.id), (good.id, good.id));
    assert_eq!(world.all(&acme).await.len(), 3);
}

pub async fn the_bounds_of_the_queue_hold_for_many_together(world: &World) {
    let acme = world.reseller("acme").await;
    let three = || (0..3).map(|_| world.mail(&acme)).collect::<Vec<_>>();
    let none = world.store.accept_all(three(), room_for(2)).await.expect("an answer");
    assert!(matches!(none, AllAccepted::None(2, Refused::QueueFull)), "{none:?}");
    assert!(world.all(&acme).await.is_empty());
    let all = world.store.accept_all(three(), room_for(3)).await.expect("an answer");
    assert!(matches!(all, AllAccepted::All(all) if all.len() == 3));
}
