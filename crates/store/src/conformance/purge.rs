//! Purge: what has been kept long enough goes, in small steps, and nothing before.

use postrider_domain::{MessageState, limits};

use super::{UNBOUNDED, World, again, at, sent};
use crate::{Accepted, MessageFilter, NewMessage};

async fn purged(world: &World) {
    while world.store.purge().await.expect("purged") {}
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).expect("small")
}

pub async fn unsent_content_goes_after_a_week_and_the_subject_stays(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.tries(&acme, id, 1, super::record::rejected()).await;
    world.advance(seconds(limits::UNSENT_CONTENT_KEPT) - 1);
    purged(world).await;
    assert!(world.has_content(&acme, id).await);
    world.advance(1);
    purged(world).await;
    assert!(!world.has_content(&acme, id).await);
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.subject.as_str()), (MessageState::Failed, "Mail 1"));
}

pub async fn cancelled_content_goes_after_a_minute(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.store.cancel(&acme, &id).await.expect("cancelled");
    purged(world).await;
    assert!(world.has_content(&acme, id).await, "a slip of the hand can be taken back");
    world.advance(60);
    purged(world).await;
    assert!(!world.has_content(&acme, id).await);
}

pub async fn what_was_retried_meanwhile_keeps_its_content(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.tries(&acme, id, 1, super::record::rejected()).await;
    world.advance(1);
    world.store.retry(&acme, &id, again(at(10_000_000), false)).await.expect("retried");
    world.advance(seconds(limits::HISTORY_KEPT) * 2);
    purged(world).await;
    assert!(world.has_content(&acme, id).await);
    assert_eq!(world.state(&acme, id).await, MessageState::Accepted);
}

pub async fn history_goes_after_its_days_and_takes_nothing_unfinished_along(world: &World) {
    let acme = world.reseller("acme").await;
    let waiting = world.accepts(NewMessage { expire_time: at(100_000_000), ..world.mail(&acme) }).await.id;
    let id = world.accepted(&acme).await;
    world.tries(&acme, id, 1, sent()).await;
    world.advance(seconds(limits::HISTORY_KEPT) - 1);
    purged(world).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Sent);
    world.advance(1);
    purged(world).await;
    assert_eq!(world.store.get_message(&acme, &id).await.expect("an answer"), None);
    let left = world.store.list_messages(&acme, MessageFilter { limit: 9, ..Default::default() }).await;
    let left: Vec<_> = left.expect("a page").messages.iter().map(|message| message.id).collect();
    assert_eq!(left, [waiting]);
}

pub async fn a_request_id_is_known_for_a_day_after_its_messages_end(world: &World) {
    let acme = world.reseller("acme").await;
    let mail = NewMessage { expire_time: at(1_000_000), ..world.mail_of_request(&acme, "order-1") };
    let first = world.accepts(mail).await;
    // It waits for two days: its key outlives the day of its acceptance.
    world.advance(2 * 86_400);
    purged(world).await;
    world.tries(&acme, first.id, 1, sent()).await;
    world.advance(seconds(limits::REQUEST_ID_KEPT) - 1);
    purged(world).await;
    let again = world.store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await;
    assert!(matches!(again, Ok(Accepted::Replayed(message)) if message.id == first.id));
    world.advance(1);
    purged(world).await;
    let new = world.store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await;
    assert!(matches!(new, Ok(Accepted::New(_))), "{new:?}");
}

pub async fn a_step_takes_so_much_and_tells_that_there_is_more(world: &World) {
    let acme = world.reseller("acme").await;
    for _ in 0..450 {
        let id = world.accepted(&acme).await;
        world.store.cancel(&acme, &id).await.expect("cancelled");
    }
    world.advance(60);
    let mut steps = 1;
    while world.store.purge().await.expect("purged") {
        steps += 1;
    }
    assert!(steps >= 3, "{steps} steps");
    let all = world.all(&acme).await;
    assert_eq!(all.len(), 450);
    for message in all {
        assert!(!world.has_content(&acme, message.id).await);
    }
}
