//! Those who send: each of one reseller, one mail after the other or several in a batch, repeated until they are acknowledged. What
//! they were told is the first of the checker's logs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Clock as _, InDoubtPolicy, MessageId, Priority, ResellerId, SystemClock};
use postrider_proto::v1::batch_send_mail_result::Result as Item;
use postrider_proto::v1::{BatchSendMailRequest, BatchSendMailResult, Settings};
use postrider_simulation::checker::{Asked, BatchItem};
use postrider_testkit::{Client, Mail, mail};
use tokio::sync::watch;

/// Between the mails of one reseller, on average: less than Microsoft's 30 a minute, so that none waits for the minute alone.
const GAP_MILLIS: u64 = 2_600;
/// After which a caller asks again.
const DEADLINE: Duration = Duration::from_secs(4);
const AGAIN_AFTER: Duration = Duration::from_millis(80);
/// One in so many acknowledged mails is asked for once more, as by a caller who forgot.
const REPEATED: u64 = 8;
/// One in so many times a caller sends a batch: of more mails than a mailbox takes at once.
const BATCHED: u64 = 30;
const BATCH: usize = 6;
/// Of one reseller in the script.
pub(crate) const OF_EACH_KIND: usize = 2 + BATCH;

/// A replica as callers reach it, and their calls to it that are not answered yet.
#[derive(Clone)]
pub(crate) struct Counter {
    pub(crate) client: Client,
    pub(crate) open: watch::Sender<usize>,
}

pub(crate) struct Callers {
    counters: Vec<Counter>,
    log: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
    /// Mailboxes for which a mail is wanted at once.
    hurry: watch::Sender<Vec<String>>,
    /// Batches that were answered.
    answers: AtomicU64,
    /// Calls that ended without an answer.
    pub(crate) unanswered: AtomicU64,
    /// Calls that were answered as known.
    pub(crate) replayed: AtomicU64,
}

impl Callers {
    pub(crate) fn new(counters: Vec<Counter>) -> Self {
        Self {
            counters,
            log: Mutex::default(),
            is_over: AtomicBool::new(false),
            hurry: watch::Sender::default(),
            answers: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
        }
    }

    /// No more mails are begun.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// So that the lanes of these mailboxes have work, and what they do about it can be seen.
    pub(crate) fn hurry(&self, mailboxes: &[String]) {
        self.hurry.send_replace(mailboxes.to_vec());
    }

    pub(crate) fn log(&self) -> Vec<Asked> {
        self.log.lock().expect("unpoisoned").clone()
    }

    /// Until the end, and until the last mail is acknowledged.
    pub(crate) async fn sends(self: Arc<Self>, reseller: ResellerId, mailbox: String, seed: u64) {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut hurry = self.hurry.subscribe();
        let mut number = 0_u64;
        loop {
            let gap = Duration::from_millis(chance.u64(0..GAP_MILLIS * 2));
            let hurried = async {
                hurry.borrow_and_update();
                while hurry.changed().await.is_ok() && !hurry.borrow().contains(&mailbox) {}
            };
            drop(tokio::time::timeout(gap, hurried).await);
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if chance.u64(0..BATCHED) == 0 {
                self.sends_batch(&reseller, number, &mut chance).await;
                number += BATCH as u64;
                continue;
            }
            let policy =
                *chance.choice(&[InDoubtPolicy::AtLeastOnce, InDoubtPolicy::AtMostOnce]).expect("one");
            let is_repeated = chance.u64(0..REPEATED) == 0;
            self.sends_one(&reseller, number, policy, is_repeated, &mut chance).await;
            number += 1;
        }
    }

    /// The settings, a mail of each policy, and a batch: one after the other.
    pub(crate) async fn sends_each_kind(self: Arc<Self>, settings: Settings, seed: u64) {
        let mut chance = fastrand::Rng::with_seed(seed);
        let reseller = ResellerId::parse(&settings.reseller).expect("a slug");
        loop {
            let settings = settings.clone();
            let saves = async |client: Client| client.tries_to_put(settings).await.ok();
            if self.answered(&mut chance, saves).await.is_some() {
                break;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        self.sends_one(&reseller, 0, InDoubtPolicy::AtLeastOnce, true, &mut chance).await;
        self.sends_one(&reseller, 1, InDoubtPolicy::AtMostOnce, true, &mut chance).await;
        self.sends_batch(&reseller, 2, &mut chance).await;
    }

    async fn sends_one(
        &self,
        reseller: &ResellerId,
        number: u64,
        policy: InDoubtPolicy,
        is_repeated: bool,
        chance: &mut fastrand::Rng,
    ) {
        let request = format!("{reseller}-{number}");
        let index = self.asks(reseller, &request, policy);
        let (id, time) = self.is_acknowledged(reseller, &request, policy, chance).await;
        self.log.lock().expect("unpoisoned")[index].acknowledged = Some((id, time));
        if is_repeated {
            let (again, _) = self.is_acknowledged(reseller, &request, policy, chance).await;
            self.log.lock().expect("unpoisoned")[index].twin = Some(again).filter(|again| *again != id);
        }
    }

    /// Each item by itself; those that were not accepted are asked for again.
    async fn sends_batch(&self, reseller: &ResellerId, number: u64, chance: &mut fastrand::Rng) {
        let request = |place| format!("{reseller}-{}", number + place as u64);
        let policy = InDoubtPolicy::AtLeastOnce;
        let mut open: Vec<_> =
            (0..BATCH).map(|place| (self.asks(reseller, &request(place), policy), request(place))).collect();
        while !open.is_empty() {
            let requests = open.iter().map(|(_, request)| asked(reseller, request, policy).request).collect();
            let request = BatchSendMailRequest { reseller: reseller.to_string(), requests, atomic: false };
            let results = self.answered(chance, async |client: Client| {
                client.mail().batch_send_mail(request).await.ok().map(|answer| answer.into_inner().results)
            });
            let results = results.await.unwrap_or_default();
            self.notes_batch(&mut open, results);
            if !open.is_empty() {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// What one answer said of the items that are open, and which of them stay so.
    fn notes_batch(&self, open: &mut Vec<(usize, String)>, results: Vec<BatchSendMailResult>) {
        let (answer, time) = (self.answers.fetch_add(1, Ordering::Relaxed), SystemClock::default().now());
        let mut log = self.log.lock().expect("unpoisoned");
        for (place, result) in results.into_iter().enumerate().rev() {
            let Some(Item::Message(message)) = result.result else { continue };
            let id = MessageId::parse(&message.message_id).expect("an id");
            let asked = &mut log[open.remove(place).0];
            asked.acknowledged = Some((id, time));
            asked.batch = (!result.replayed).then_some(BatchItem { answer, place });
            self.replayed.fetch_add(u64::from(result.replayed), Ordering::Relaxed);
        }
    }

    fn asks(&self, reseller: &ResellerId, request: &str, policy: InDoubtPolicy) -> usize {
        let mut log = self.log.lock().expect("unpoisoned");
        log.push(Asked {
            reseller: reseller.clone(),
            request: request.to_owned(),
            policy,
            priority: Priority::Normal,
            is_large: false,
            send_time: None,
            content: content(request, &text_of(request)),
            acknowledged: None,
            batch: None,
            twin: None,
            may_be_doubled: false,
            was_retried: false,
        });
        log.len() - 1
    }

    /// Asks one replica after the other.
    async fn is_acknowledged(
        &self,
        reseller: &ResellerId,
        request: &str,
        policy: InDoubtPolicy,
        chance: &mut fastrand::Rng,
    ) -> (MessageId, Timestamp) {
        loop {
            let mail = asked(reseller, request, policy);
            if let Some(response) =
                self.answered(chance, async |client: Client| client.tries(mail).await.ok()).await
            {
                let id = response.message.expect("a message").message_id;
                self.replayed.fetch_add(u64::from(response.replayed), Ordering::Relaxed);
                return (MessageId::parse(&id).expect("an id"), SystemClock::default().now());
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// What one of the replicas answered in time, if it did.
    async fn answered<A>(
        &self,
        chance: &mut fastrand::Rng,
        call: impl AsyncFnOnce(Client) -> Option<A>,
    ) -> Option<A> {
        let counter = chance.choice(&self.counters).expect("a replica");
        counter.open.send_modify(|open| *open += 1);
        let answer = tokio::time::timeout(DEADLINE, call(counter.client.clone())).await;
        counter.open.send_modify(|open| *open -= 1);
        let answer = answer.ok().flatten();
        self.unanswered.fetch_add(u64::from(answer.is_none()), Ordering::Relaxed);
        answer
    }
}

fn asked(reseller: &ResellerId, request: &str, policy: InDoubtPolicy) -> Mail {
    let mail = mail(reseller.as_str())
        .about(request)
        .with(|email| email.text = text_of(request))
        .request_id(request);
    if policy == InDoubtPolicy::AtMostOnce { mail.at_most_once() } else { mail }
}

/// What a mail says, as its caller and its recipient know it.
pub(crate) fn content(subject: &str, text: &str) -> String {
    format!("{subject}: {}", text.trim_end())
}

fn text_of(request: &str) -> String {
    format!("This is the offer {request}, and no other.")
}
