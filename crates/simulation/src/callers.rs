//! Those who send, repeat, cancel and retry. They ask replicas, whose answers may be lost, and write down what they were
//! told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::{Clock as _, InDoubtPolicy, MessageId, Priority, ResellerId};
use postrider_store::{
    Accepted, AllAccepted, NewMessage, Outbox as _, QueueBounds, Refused, Retry, StoreError,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Chance;
use crate::checker::{Asked, BatchItem};
use crate::plan::Plan;
use crate::replica::Replica;
use crate::world::World;

/// A reseller's part of the queue: small enough to be full at times.
const BOUNDS: QueueBounds = QueueBounds { messages: 12, bytes: i64::MAX };
/// Two of them at a time find memory.
const LARGE_BYTES: usize = 6_000;
const PATIENCE: Duration = Duration::from_millis(300);

/// All callers, and their log.
pub struct Callers {
    world: Arc<World>,
    plan: Plan,
    chance: Chance,
    asked: Mutex<Vec<Asked>>,
    ids: AtomicU64,
    /// Those that accepted several mails.
    answers: AtomicU64,
}

impl Callers {
    pub fn new(world: Arc<World>, plan: Plan, chance: Chance) -> Self {
        Self {
            world,
            plan,
            chance,
            asked: Mutex::default(),
            ids: AtomicU64::new(0),
            answers: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log so far.
    pub fn log(&self) -> Vec<Asked> {
        self.lock().clone()
    }

    /// Sends all mails of the plan for one reseller, and returns once each was acknowledged.
    pub async fn sends(self: Arc<Self>, reseller: ResellerId) {
        let mut sent = 0;
        while sent < self.plan.mails {
            tokio::time::sleep(self.chance.millis(1, self.plan.pause_millis)).await;
            if self.chance.one_in(6) {
                let count = (2 + self.chance.below(3)).min(self.plan.mails - sent);
                let mails = (sent..sent + count).map(|number| self.mail(&reseller, number)).collect();
                self.accepts_together(mails).await;
                sent += count;
            } else {
                let mail = self.mail(&reseller, sent);
                self.accepts(mail).await;
                sent += 1;
            }
        }
    }

    /// A mail, noted as asked for.
    fn mail(&self, reseller: &ResellerId, number: u32) -> (usize, NewMessage) {
        let chance = &self.chance;
        let now = self.world.now();
        let policy = *chance.pick(&[InDoubtPolicy::AtLeastOnce, InDoubtPolicy::AtMostOnce]);
        let priority = if chance.one_in(3) { *chance.pick(&Priority::ALL) } else { Priority::Normal };
        let is_large = chance.one_in(self.plan.faults.large);
        if is_large {
            self.world.struck.count("large");
        }
        let send_time = chance.one_in(8).then(|| now + chance.millis(1_000, 90_000));
        let life = if chance.one_in(8) { chance.millis(5_000, 400_000) } else { Duration::from_hours(72) };
        let new = NewMessage {
            policy,
            priority,
            send_time,
            expire_time: send_time.unwrap_or(now) + life,
            ..if is_large {
                self.world.mail_of(reseller, u128::from(number), LARGE_BYTES)
            } else {
                self.world.mail(reseller, u128::from(number))
            }
        };
        let asked = Asked {
            reseller: reseller.clone(),
            request: new.request_id.as_ref().map_or_else(String::new, |id| id.as_str().to_owned()),
            policy,
            priority,
            send_time,
            content: String::from_utf8_lossy(&new.content).into_owned(),
            is_large,
            acknowledged: None,
            batch: None,
            twin: None,
            may_be_doubled: false,
            was_retried: false,
        };
        let mut log = self.lock();
        log.push(asked);
        (log.len() - 1, new)
    }

    /// As a replica makes it of a request: its own id and time.
    fn made(&self, new: &NewMessage, by: &Replica) -> NewMessage {
        let now = by.clock.now();
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        let millis = u128::try_from(now.as_millisecond()).expect("after 1970");
        let id = Uuid::from_u128(millis << 64 | u128::from(count));
        NewMessage { id: MessageId::of_uuid(id), create_time: now, ..new.clone() }
    }

    fn replica(&self) -> &Arc<Replica> {
        self.chance.pick(&self.world.replicas)
    }

    /// Repeated until it is acknowledged; at times as two at once, over two replicas.
    async fn accepts(&self, (index, new): (usize, NewMessage)) {
        if self.chance.one_in(8) {
            self.world.struck.count("twins");
            tokio::join!(self.accepts_once(index, &new), self.accepts_once(index, &new));
        } else {
            self.accepts_once(index, &new).await;
        }
        if self.chance.one_in(self.plan.faults.cancelled) {
            tokio::time::sleep(self.chance.millis(0, 20_000)).await;
            self.cancels(index).await;
        }
    }

    async fn accepts_once(&self, index: usize, new: &NewMessage) {
        loop {
            let replica = self.replica();
            let answer = replica.store.accept(self.made(new, replica), BOUNDS).await;
            if self.heard(index, new, answer) {
                return replica.wakes(&new.reseller);
            }
            tokio::time::sleep(self.chance.millis(100, 2_000)).await;
        }
    }

    /// Whether it is acknowledged.
    fn heard(&self, index: usize, new: &NewMessage, answer: Result<Accepted, StoreError>) -> bool {
        let message = match answer {
            Ok(Accepted::New(message) | Accepted::Replayed(message)) => message,
            Ok(Accepted::Refused(Refused::QueueFull)) => {
                self.world.struck.count("queue full");
                return false;
            }
            Ok(Accepted::Refused(refused)) => panic!("{refused:?} of {new:?}"),
            Err(_) => return false,
        };
        self.acknowledged(index, &message.reseller, message.id);
        true
    }

    fn acknowledged(&self, index: usize, reseller: &ResellerId, id: MessageId) {
        let now = self.world.now();
        self.world.trace.write(now, &format!("acknowledged {reseller} {id}"));
        let asked = &mut self.lock()[index];
        match asked.acknowledged {
            Some((first, _)) if first != id => asked.twin = Some(id),
            Some(_) => {}
            None => asked.acknowledged = Some((id, now)),
        }
    }

    async fn accepts_together(&self, mails: Vec<(usize, NewMessage)>) {
        loop {
            let replica = self.replica();
            let made = mails.iter().map(|(_, new)| self.made(new, replica)).collect();
            let answer = replica.store.accept_all(made, BOUNDS).await;
            if let Ok(AllAccepted::All(all)) = answer {
                let answer = self.answers.fetch_add(1, Ordering::Relaxed);
                for (place, ((index, new), accepted)) in mails.iter().zip(all).enumerate() {
                    self.lock()[*index].batch = Some(BatchItem { answer, place });
                    assert!(self.heard(*index, new, Ok(accepted)), "all are accepted");
                    replica.wakes(&new.reseller);
                }
                return;
            }
            tokio::time::sleep(self.chance.millis(100, 2_000)).await;
        }
    }

    async fn cancels(&self, index: usize) {
        let asked = self.lock()[index].clone();
        let Some((id, _)) = asked.acknowledged else { return };
        self.world.struck.count("cancelled");
        self.replica().store.cancel(&asked.reseller, &id).await.ok();
    }

    /// Retries what ended otherwise than asked, for as long as faults strike.
    pub async fn retries(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.chance.millis(5_000, 30_000)).await;
            let acknowledged: Vec<usize> = {
                let log = self.lock();
                (0..log.len()).filter(|index| log[*index].acknowledged.is_some()).collect()
            };
            if acknowledged.is_empty() || !self.chance.one_in(self.plan.faults.retried) {
                continue;
            }
            let index = *self.chance.pick(&acknowledged);
            let accept_duplicate = self.chance.one_in(2);
            let asked = {
                let asked = &mut self.lock()[index];
                asked.was_retried = true;
                asked.may_be_doubled |= accept_duplicate;
                asked.clone()
            };
            let Some((id, _)) = asked.acknowledged else { continue };
            let expire_time = self.world.now() + Duration::from_hours(72);
            let how = Retry { expire_time, accept_duplicate, bounds: BOUNDS };
            let replica = self.replica();
            self.world.microsoft.is_retried(&asked.reseller);
            if replica.store.retry(&asked.reseller, &id, how).await.is_ok() {
                self.world.struck.count("retried");
            }
            replica.wakes(&asked.reseller);
        }
    }

    /// Waits until all callers are done.
    pub async fn all_send(self: Arc<Self>, resellers: &[ResellerId]) {
        let mut callers = JoinSet::new();
        for reseller in resellers {
            callers.spawn(Arc::clone(&self).sends(reseller.clone()));
        }
        while let Some(joined) = callers.join_next().await {
            joined.expect("a caller");
        }
        tokio::time::sleep(PATIENCE).await;
    }
}
