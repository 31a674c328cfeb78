//! Those who send: each of one reseller, one mail after the other, repeated until it is acknowledged. What they were told is
//! the first of the checker's logs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Clock as _, InDoubtPolicy, MessageId, Priority, ResellerId, SystemClock};
use postrider_simulation::checker::Asked;
use postrider_testkit::{Client, mail};
use tokio::sync::watch;

/// Between the mails of one reseller, on average: less than Microsoft's 30 a minute, so that none waits for the minute alone.
const GAP_MILLIS: u64 = 2_600;
/// After which a caller asks again.
const DEADLINE: Duration = Duration::from_secs(4);
const AGAIN_AFTER: Duration = Duration::from_millis(80);
/// One in so many acknowledged mails is asked for once more, as by a caller who forgot.
const REPEATED: u64 = 8;

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
        for number in 0_u64.. {
            let gap = Duration::from_millis(chance.u64(0..GAP_MILLIS * 2));
            let hurried = async {
                hurry.borrow_and_update();
                while hurry.changed().await.is_ok() && !hurry.borrow().contains(&mailbox) {}
            };
            drop(tokio::time::timeout(gap, hurried).await);
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let policy =
                *chance.choice(&[InDoubtPolicy::AtLeastOnce, InDoubtPolicy::AtMostOnce]).expect("one");
            let request = format!("{reseller}-{number}");
            let index = self.asks(&reseller, &request, policy);
            let (id, time) = self.is_acknowledged(&reseller, &request, policy, &mut chance).await;
            self.log.lock().expect("unpoisoned")[index].acknowledged = Some((id, time));
            if chance.u64(0..REPEATED) == 0 {
                let (again, _) = self.is_acknowledged(&reseller, &request, policy, &mut chance).await;
                self.log.lock().expect("unpoisoned")[index].twin = Some(again).filter(|again| *again != id);
            }
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
            let counter = chance.choice(&self.counters).expect("a replica");
            let mut mail = mail(reseller.as_str())
                .about(request)
                .with(|email| email.text = text_of(request))
                .request_id(request);
            if policy == InDoubtPolicy::AtMostOnce {
                mail = mail.at_most_once();
            }
            counter.open.send_modify(|open| *open += 1);
            let answer = tokio::time::timeout(DEADLINE, counter.client.tries(mail)).await;
            counter.open.send_modify(|open| *open -= 1);
            if let Ok(Ok(response)) = answer {
                let id = response.message.expect("a message").message_id;
                self.replayed.fetch_add(u64::from(response.replayed), Ordering::Relaxed);
                return (MessageId::parse(&id).expect("an id"), SystemClock::default().now());
            }
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// What a mail says, as its caller and its recipient know it.
pub(crate) fn content(subject: &str, text: &str) -> String {
    format!("{subject}: {}", text.trim_end())
}

fn text_of(request: &str) -> String {
    format!("This is the offer {request}, and no other.")
}
