//! Callers: each has one call open, and makes the next when it is answered.

use std::time::{Duration, Instant};

use postrider_proto::v1::SendMailRequest;
use postrider_testkit::{Client, mail};
use tokio::task::JoinSet;

/// More callers than that share a connection.
const CALLERS_PER_CONNECTION: usize = 16;
/// Before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) callers: usize,
    /// Bytes of each mail's text.
    pub(crate) size: usize,
    pub(crate) resellers: usize,
}

/// What came of it.
pub(crate) struct Answers {
    took: Duration,
    waits: Vec<Duration>,
    /// Those before and after the counted time too.
    all: usize,
}

impl Answers {
    pub(crate) fn a_second(&self) -> f64 {
        as_f64(self.waits.len()) / self.took.as_secs_f64()
    }

    pub(crate) fn in_all(&self) -> f64 {
        as_f64(self.all)
    }

    /// Milliseconds that so many of a hundred did not wait longer for.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.waits.len() * percent / 100).min(self.waits.len().saturating_sub(1));
        self.waits.get(at).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1_000.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

pub(crate) fn reseller(number: usize) -> String {
    format!("r{number}")
}

/// One mail of a reseller's. No two are alike, and none has a `request_id`.
pub(crate) fn request(reseller_number: usize, size: usize) -> SendMailRequest {
    mail(&reseller(reseller_number))
        .with(|email| email.text = "An offer to you. ".repeat(size / 17 + 1))
        .into()
}

impl Load {
    /// For so long, or until all have failed. A refused call is none.
    pub(crate) async fn on(self, clients: &[Client], time: Duration) -> Answers {
        let connections: Vec<Client> = (0..self.callers.div_ceil(CALLERS_PER_CONNECTION).max(clients.len()))
            .map(|number| clients[number % clients.len()].on_another_connection())
            .collect();
        let begin = Instant::now() + WARM_UP;
        let end = begin + time;
        let mut callers = JoinSet::new();
        for number in 0..self.callers {
            let client = connections[number % connections.len()].clone();
            callers.spawn(self.calls(number, client, begin, end));
        }
        let (counted, all): (Vec<_>, Vec<_>) = callers.join_all().await.into_iter().unzip();
        let mut waits: Vec<Duration> = counted.into_iter().flatten().collect();
        waits.sort_unstable();
        Answers { took: time, waits, all: all.into_iter().sum() }
    }

    async fn calls(
        self,
        number: usize,
        client: Client,
        begin: Instant,
        end: Instant,
    ) -> (Vec<Duration>, usize) {
        let mut service = client.mail();
        let (mut waits, mut all) = (Vec::new(), 0);
        let mut request = request(number % self.resellers, self.size);
        for turn in 0.. {
            request.reseller = reseller((number + turn * self.callers) % self.resellers);
            let asked = Instant::now();
            if asked >= end {
                break;
            }
            let answer = service.send_mail(request.clone()).await;
            answer.unwrap_or_else(|status| panic!("a call was refused: {status:?}"));
            all += 1;
            let answered = Instant::now();
            if asked >= begin && answered <= end {
                waits.push(answered - asked);
            }
        }
        (waits, all)
    }

    /// So many mails in all, as fast as they are taken.
    pub(crate) async fn sends(self, client: &Client, count: usize) {
        let each = count.div_ceil(self.callers);
        let connections: Vec<Client> = (0..self.callers.div_ceil(CALLERS_PER_CONNECTION))
            .map(|_| client.on_another_connection())
            .collect();
        let mut callers = JoinSet::new();
        for number in 0..self.callers {
            let mut service = connections[number % connections.len()].mail();
            callers.spawn(async move {
                let own = number * each..((number + 1) * each).min(count);
                for mail in own {
                    let answer = service.send_mail(request(mail % self.resellers, self.size)).await;
                    answer.unwrap_or_else(|status| panic!("a call was refused: {status:?}"));
                }
            });
        }
        callers.join_all().await;
    }
}
