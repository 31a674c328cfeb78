//! Content and subjects lie sealed, by a data key that goes with the settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use postrider_domain::{Message, MessageId, PaceLimits, ResellerId};

use super::{UNBOUNDED, World, at};
use crate::{
    Accepted, AllAccepted, Change, ContentPlace, ContentSealer, Deleted, DynStore, MessageFilter, NewMessage,
    TestMail, Unopened, WrappedKey,
};

const NO_LIMITS: PaceLimits = PaceLimits { concurrency: 0, messages_per_minute: 0, recipients_per_day: 0 };

/// Hides nothing from anybody but these promises: what it seals is turned around, and names its key and place.
#[derive(Default)]
struct Turning(AtomicU64);

fn named(key: &WrappedKey, at: ContentPlace<'_>) -> Vec<u8> {
    format!("{:?} {} {} {:?} ", key.as_bytes(), at.reseller, at.message, at.part).into_bytes()
}

#[async_trait]
impl ContentSealer for Turning {
    async fn fresh_key(&self, reseller: &ResellerId) -> Result<WrappedKey, Unopened> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(WrappedKey::of_bytes(format!("{reseller} {number}").into_bytes()))
    }

    async fn seal(&self, key: &WrappedKey, at: ContentPlace<'_>, plain: &[u8]) -> Result<Vec<u8>, Unopened> {
        let turned: Vec<u8> = plain.iter().rev().copied().collect();
        Ok([named(key, at), turned].concat())
    }

    async fn open(&self, key: &WrappedKey, at: ContentPlace<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let turned = sealed.strip_prefix(named(key, at).as_slice()).ok_or(Unopened::Closed)?;
        Ok(turned.iter().rev().copied().collect())
    }
}

fn sealing(world: &World) -> DynStore {
    world.store.clone().sealed_by(Arc::new(Turning::default()))
}

async fn accepts(store: &DynStore, new: NewMessage) -> Message {
    match store.accept(new, UNBOUNDED).await.expect("an answer") {
        Accepted::New(message) | Accepted::Replayed(message) => *message,
        Accepted::Refused(refused) => panic!("{refused:?}"),
    }
}

async fn body(store: &DynStore, reseller: &ResellerId, id: MessageId) -> Vec<u8> {
    store.content(reseller, &id).await.expect("an answer").expect("content").body.to_vec()
}

async fn subject(store: &DynStore, reseller: &ResellerId, id: MessageId) -> String {
    store.get_message(reseller, &id).await.expect("an answer").expect("a message").subject
}

pub async fn what_lies_in_the_database_is_sealed_and_reads_back_as_it_was(world: &World) {
    let acme = world.reseller("acme").await;
    let store = sealing(world);
    let mail = world.mail_of_request(&acme, "order-1");
    let answered = accepts(&store, mail.clone()).await;
    assert_eq!(answered.subject, mail.subject);
    assert_eq!(subject(&store, &acme, mail.id).await, mail.subject);
    assert_eq!(body(&store, &acme, mail.id).await, mail.content);
    let replayed =
        accepts(&store, NewMessage { id: MessageId::of_uuid(uuid::Uuid::max()), ..mail.clone() }).await;
    assert_eq!((replayed.id, &replayed.subject), (mail.id, &mail.subject));
    // Without what seals it is seen as it lies.
    assert!(!subject(&world.store, &acme, mail.id).await.contains(&mail.subject));
    let lies = body(&world.store, &acme, mail.id).await;
    assert!(!lies.windows(mail.content.len()).any(|part| part == mail.content));
}

pub async fn lists_and_events_are_opened(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let store = sealing(world);
    let mut subjects = Vec::new();
    for reseller in [&acme, &beta, &acme] {
        let mail = world.mail(reseller);
        subjects.push(mail.subject.clone());
        accepts(&store, mail).await;
    }
    let filter =
        MessageFilter { states: vec![], labels: postrider_domain::Labels::new(), before: None, limit: 10 };
    let page = store.list_messages(&acme, filter).await.expect("a page").messages;
    assert_eq!(page.iter().map(|message| &message.subject).collect::<Vec<_>>(), [&subjects[2], &subjects[0]]);
    store.pause(&acme, "a look at it").await.expect("paused");
    let paused = store.events(&acme, 2, 10).await.expect("events").expect("all");
    let waited = store.waited(&paused[0], None, 10).await.expect("waited");
    assert_eq!(
        waited.iter().map(|message| &message.subject).collect::<Vec<_>>(),
        [&subjects[0], &subjects[2]]
    );
    let events = store.events(&beta, 0, 10).await.expect("events").expect("all");
    let told: Vec<_> = events
        .into_iter()
        .filter_map(|event| match event.change {
            Change::Message(message) => message.map(|message| message.subject),
            Change::Lane { .. } => None,
        })
        .collect();
    assert_eq!(told, [subjects[1].clone()]);
}

pub async fn many_together_and_a_test_are_sealed_too(world: &World) {
    let acme = world.reseller("acme").await;
    let store = sealing(world);
    let all = vec![world.mail(&acme), world.mail(&acme)];
    let AllAccepted::All(answered) = store.accept_all(all.clone(), UNBOUNDED).await.expect("an answer")
    else {
        panic!("refused");
    };
    assert_eq!(answered.len(), 2);
    let message = world.mail(&acme);
    let (start, mailbox) = (world.attempt(message.id, 1), World::mailbox("sales"));
    let test = TestMail { message, mailbox, limits: NO_LIMITS, start };
    let (id, plain) = (test.message.id, test.message.content.clone());
    store.accept_test(test).await.expect("an answer");
    assert_eq!(body(&store, &acme, id).await, plain);
    for mail in all {
        assert_eq!(body(&store, &acme, mail.id).await, mail.content);
        assert_ne!(body(&world.store, &acme, mail.id).await, mail.content);
    }
}

pub async fn what_was_written_before_anything_was_sealed_stays_readable(world: &World) {
    let acme = world.reseller("acme").await;
    let mail = world.mail(&acme);
    accepts(&world.store, mail.clone()).await;
    let store = sealing(world);
    assert_eq!(subject(&store, &acme, mail.id).await, mail.subject);
    assert_eq!(body(&store, &acme, mail.id).await, mail.content);
}

pub async fn with_the_settings_the_data_key_goes_and_what_it_sealed_is_closed_for_good(world: &World) {
    let acme = world.reseller("acme").await;
    let store = sealing(world);
    let mail = world.mail(&acme);
    accepts(&store, mail.clone()).await;
    let deleted = store.delete_settings(&acme, None, true, at(1)).await.expect("deleted");
    assert_eq!(deleted, Deleted::Done);
    assert_eq!(subject(&store, &acme, mail.id).await, "", "the history stays, its subjects do not open");
    assert_eq!(world.store.data_keys(None, 10).await.expect("keys"), []);
    world.put(world.new_settings(&acme)).await;
    let next = world.mail(&acme);
    accepts(&store, next.clone()).await;
    assert_eq!(subject(&store, &acme, next.id).await, next.subject);
    assert_eq!(subject(&store, &acme, mail.id).await, "", "another key opens nothing of the first");
}

pub async fn a_key_that_another_replica_took_away_seals_nothing_more(world: &World) {
    let acme = world.reseller("acme").await;
    let store = sealing(world);
    accepts(&store, world.mail(&acme)).await;
    // As another replica does, whose keys this one does not know.
    let other = sealing(world);
    world.store.delete_settings(&acme, None, true, at(1)).await.expect("deleted");
    world.put(world.new_settings(&acme)).await;
    let theirs = world.mail(&acme);
    accepts(&other, theirs.clone()).await;
    let ours = world.mail(&acme);
    accepts(&store, ours.clone()).await;
    let AllAccepted::All(_) = store.accept_all(vec![world.mail(&acme)], UNBOUNDED).await.expect("an answer")
    else {
        panic!("refused");
    };
    for mail in [theirs, ours] {
        assert_eq!(body(&store, &acme, mail.id).await, mail.content);
        assert_eq!(body(&other, &acme, mail.id).await, mail.content);
    }
}

pub async fn a_data_key_is_wrapped_anew_only_while_it_is_as_it_was(world: &World) {
    let acme = world.reseller("acme").await;
    let store = sealing(world);
    accepts(&store, world.mail(&acme)).await;
    let listed = world.store.data_keys(None, 10).await.expect("keys");
    let [(owner, key)] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(*owner, acme);
    let anew = WrappedKey::of_bytes(b"anew".to_vec());
    assert!(world.store.replace_data_key(&acme, key, &anew).await.expect("an answer"));
    assert!(!world.store.replace_data_key(&acme, key, &anew).await.expect("an answer"));
    assert_eq!(world.store.data_keys(None, 10).await.expect("keys"), [(acme.clone(), anew)]);
    assert_eq!(world.store.data_keys(Some(&acme), 10).await.expect("keys"), []);
}
