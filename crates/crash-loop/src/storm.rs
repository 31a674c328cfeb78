//! What is done to the replicas: kills at named points and at random, and all else that goes wrong with processes and
//! connections. Each kind comes up once before any comes up again, and none is left out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_testkit::Postgres;
use tokio::time::{sleep, timeout};

use crate::callers::Callers;
use crate::gate::Door;
use crate::replica::{Killed, LEASE_SECONDS, Replica};

/// How long a point may let itself be waited for; then the kill comes at random.
const POINT_WITHIN: Duration = Duration::from_secs(3);
/// How long the lanes of the dead may take to go on, before it is not looked for any more.
const RECOVERED_WITHIN: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A caller has asked, and was not answered.
    KillAtCall,
    /// SQLite's log changed, or a COMMIT was passed to PostgreSQL.
    KillAtCommit,
    /// The attempt is written down, its request has left, and Microsoft has not seen it.
    KillBeforeTheCall,
    /// Microsoft has taken the mail, and its answer is not passed on.
    KillBeforeTheAnswer,
    /// The answer is passed on, and its outcome perhaps not written down.
    KillBeforeTheRecord,
    KillAtRandom,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    StopBeyondTheLease,
    CutCallers,
    CutDatabase,
    /// PostgreSQL commits, and its answer is not passed on.
    CutCommitsAnswer,
    RestartDatabase,
}

impl Event {
    const EVERYWHERE: [Self; 8] = [
        Self::KillAtCall,
        Self::KillAtCommit,
        Self::KillBeforeTheCall,
        Self::KillBeforeTheAnswer,
        Self::KillBeforeTheRecord,
        Self::KillAtRandom,
        Self::StopBeyondTheLease,
        Self::CutCallers,
    ];
    const ON_POSTGRES: [Self; 3] = [Self::CutDatabase, Self::CutCommitsAnswer, Self::RestartDatabase];
}

pub(crate) struct Storm<'s> {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) callers: Arc<Callers>,
    pub(crate) server: Option<&'s Postgres>,
    pub(crate) chance: fastrand::Rng,
    pub(crate) told: Told,
    pub(crate) last: Option<Event>,
}

/// How long it took until a lane of the dead went on, or one of the only replica's.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    pub(crate) took: Duration,
    /// The kill, and what had struck before it.
    pub(crate) events: [Event; 2],
}

/// What it did.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) struck: BTreeMap<Event, u64>,
    pub(crate) kills: u64,
    pub(crate) effective: u64,
    /// Attempts under way at the kills.
    pub(crate) attempts: usize,
    pub(crate) recoveries: Vec<Recovery>,
    pub(crate) checks: u64,
}

impl Storm<'_> {
    /// Until so many kills hit something, and every kind of event came up.
    pub(crate) async fn rages(&mut self, kills: u64) {
        let mut deck: Vec<Event> = Event::EVERYWHERE.to_vec();
        if self.server.is_some() {
            deck.extend(Event::ON_POSTGRES);
        }
        while !self.is_over(kills, &deck) {
            self.chance.shuffle(&mut deck);
            for event in deck.clone() {
                if self.is_over(kills, &deck) {
                    return;
                }
                sleep(Duration::from_millis(self.chance.u64(100..700))).await;
                self.strikes(event).await;
                self.last = Some(event);
            }
        }
    }

    fn is_over(&self, kills: u64, deck: &[Event]) -> bool {
        let has_struck = |event| self.told.struck.get(event).is_some_and(|count| *count > 0);
        self.told.effective >= kills && deck.iter().all(has_struck)
    }

    async fn strikes(&mut self, event: Event) {
        let index = self.chance.usize(0..self.replicas.len());
        let has_struck = match event {
            Event::StopBeyondTheLease => self.stops(index).await,
            Event::CutCallers => self.cuts_callers(index).await,
            Event::CutDatabase => {
                self.replicas[index].database.as_ref().is_some_and(|wire| wire.is_cut() > 0)
            }
            Event::CutCommitsAnswer => self.cuts_an_answer(index).await,
            Event::RestartDatabase => self.restarts_the_database(),
            kill => {
                self.waits_for(kill, index).await;
                let killed = self.replicas[index].is_killed().await;
                self.replicas[index].gate.turns(Door::Open);
                self.comes_back(index, kill, &killed).await;
                killed.is_effective()
            }
        };
        *self.told.struck.entry(event).or_default() += u64::from(has_struck);
    }

    /// Until the moment has come, or has not come for long.
    async fn waits_for(&mut self, kill: Event, index: usize) {
        let replica = &self.replicas[index];
        let within = self.chance.u64(0..4);
        let waiting = async {
            match kill {
                Event::KillAtCall => {
                    replica.open.subscribe().wait_for(|open| *open > 0).await.ok();
                    sleep(Duration::from_millis(within)).await;
                }
                Event::KillAtCommit => match &replica.database {
                    Some(wire) => drop(wire.commits().changed().await),
                    None => log_changes(replica.data_dir().join("postrider.db-wal")).await,
                },
                Event::KillBeforeTheCall | Event::KillBeforeTheAnswer => {
                    let holds = if kill == Event::KillBeforeTheCall {
                        Door::HoldsRequests
                    } else {
                        Door::HoldsAnswers
                    };
                    replica.gate.turns(holds);
                    replica.gate.held().wait_for(|held| *held > 0).await.ok();
                }
                Event::KillBeforeTheRecord => drop(replica.gate.answered().changed().await),
                _ => sleep(Duration::from_millis(within * 200)).await,
            }
        };
        timeout(POINT_WITHIN, waiting).await.ok();
    }

    async fn comes_back(&mut self, index: usize, kill: Event, killed: &Killed) {
        self.told.kills += 1;
        self.told.effective += u64::from(killed.is_effective());
        self.told.attempts += killed.attempts;
        let is_alone = self.replicas.len() == 1;
        if !is_alone && !killed.mailboxes.is_empty() {
            self.callers.hurry(&killed.mailboxes);
            self.is_recovered(kill, killed.time, &killed.mailboxes, Some(index)).await;
        }
        self.replicas[index].is_sound().await;
        self.told.checks += 1;
        let began = Instant::now();
        self.replicas[index].returns().await;
        if is_alone {
            self.is_recovered(kill, began, &[], None).await;
        }
    }

    /// Notes how long after a moment one of these lanes went on, at another replica than one that is dead.
    async fn is_recovered(
        &mut self,
        kill: Event,
        moment: Instant,
        mailboxes: &[String],
        dead: Option<usize>,
    ) {
        let looking = async {
            loop {
                let living = self.replicas.iter().enumerate().filter(|(index, _)| Some(*index) != dead);
                let first =
                    living.filter_map(|(_, replica)| replica.gate.first_after(moment, mailboxes)).min();
                match first {
                    Some(first) => return first,
                    None => sleep(LOOK_AGAIN).await,
                }
            }
        };
        if let Ok(first) = timeout(RECOVERED_WITHIN, looking).await {
            let events = [kill, self.last.unwrap_or(kill)];
            self.told.recoveries.push(Recovery { took: first - moment, events });
        }
    }

    async fn stops(&mut self, index: usize) -> bool {
        let program = self.replicas[index].service.program();
        program.stop().await;
        sleep(Duration::from_millis(LEASE_SECONDS * 1_600)).await;
        program.goes_on().await;
        true
    }

    async fn cuts_callers(&mut self, index: usize) -> bool {
        let replica = &self.replicas[index];
        let mut open = replica.open.subscribe();
        timeout(POINT_WITHIN, open.wait_for(|open| *open > 0)).await.is_ok() && replica.callers.is_cut() > 0
    }

    async fn cuts_an_answer(&mut self, index: usize) -> bool {
        let Some(wire) = &self.replicas[index].database else { return false };
        let before = wire.withheld();
        wire.withholds_an_answer();
        let looking = async {
            while wire.withheld() == before {
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(POINT_WITHIN, looking).await.is_ok()
    }

    fn restarts_the_database(&self) -> bool {
        let Some(server) = self.server else { return false };
        tokio::task::block_in_place(|| {
            server.stop("immediate");
            server.start();
        });
        true
    }
}

/// Until the file is another than it was.
async fn log_changes(path: PathBuf) {
    let seen = move || std::fs::metadata(&path).and_then(|found| Ok((found.len(), found.modified()?))).ok();
    let looking = tokio::task::spawn_blocking(move || {
        let (before, began) = (seen(), Instant::now());
        while seen() == before && began.elapsed() < POINT_WITHIN {
            std::thread::sleep(Duration::from_micros(50));
        }
    });
    looking.await.ok();
}
