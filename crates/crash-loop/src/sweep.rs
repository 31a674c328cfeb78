//! Crash points, swept: a service's first start and a short script are run once for each call by which it writes, syncs or sends
//! in them, and it is killed as it enters that call. What it does must not depend on luck, so it has one worker.
//!
//! `strace` counts the calls of each thread by itself: SQLite writes on one, and the worker sends.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use postrider_domain::{Message, MessageState, Outcome, ResellerId};
use postrider_proto::v1::Settings;
use postrider_simulation::checker::Fault;
use postrider_testkit::{World, acme_settings, in_time};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_local};

use crate::callers::{Callers, OF_EACH_KIND};
use crate::replica::{Place, Replica};
use crate::report::NAMED;
use crate::run::{Database, judged, knows_all, mailbox, reseller};
use crate::{first_start, strace};

const RESELLERS: usize = 3;
/// What changes a file, or leaves by a socket. `write` is not among them: a service that listens wakes its threads by it, and logs.
const CALLS: [&str; 11] = [
    "pwrite64",
    "pwritev",
    "fdatasync",
    "fsync",
    "ftruncate",
    "unlink",
    "rename",
    "connect",
    "sendto",
    "sendmsg",
    "writev",
];
/// Scripts under way together: most of their time is the pause after a doubt.
const AT_ONCE: usize = 16;
/// Where two commits become one, a script makes fewer calls than were counted, and is run again.
const TRIES: usize = 3;
pub(crate) const SIGKILL: i32 = 9;

/// What is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// With no keys and no database, and its end, asked for when it listens.
    FirstStart,
    /// Of three callers, and the end that is asked for.
    Script,
}

/// One of these calls, the first being 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    part: Part,
    call: &'static str,
    number: usize,
}

/// What became of one script.
#[derive(Default)]
struct Ran {
    was_killed: bool,
    faults: Vec<Fault>,
    messages: Vec<Message>,
    doubled: usize,
    unanswered: u64,
    replayed: u64,
}

/// The table that is published.
pub(crate) struct Swept {
    /// How often each call is made.
    calls: BTreeMap<(Part, &'static str), usize>,
    ran: Vec<(Point, Ran)>,
}

/// At each so-manieth point, and at one at least of each call. Fails with all that was wrong.
pub(crate) async fn run(program: PathBuf, every: NonZeroUsize, seed: u64) -> Swept {
    let trace = format!("trace={}", CALLS.join(","));
    let mut calls = BTreeMap::new();
    for part in [Part::FirstStart, Part::Script] {
        let log = tempfile::NamedTempFile::new().expect("a file");
        script(&program, part, &["-f", "-e", &trace], log.path(), seed).await;
        let made = counted(&std::fs::read_to_string(log.path()).expect("strace's log"));
        calls.extend(made.into_iter().map(|(call, count)| ((part, call), count)));
    }
    let mut chance = fastrand::Rng::with_seed(seed);
    let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for ((part, call), count) in &calls {
        let first = 1 + chance.usize(0..every.get().min(*count));
        for number in (first..=*count).step_by(every.get()) {
            let point = Point { part: *part, call, number };
            let (places, program) = (Arc::clone(&places), program.clone());
            running.spawn_local(async move {
                let _place = places.acquire().await.expect("open");
                let ran = spawn_local(async move { killed(&program, point, seed).await }).await;
                (point, ran.unwrap_or_else(|_| Ran { faults: vec![Fault::Panicked], ..Ran::default() }))
            });
        }
    }
    let swept = Swept { calls, ran: running.join_all().await };
    assert!(swept.is_good(), "seed {seed}\n{swept}");
    swept
}

async fn killed(program: &Path, Point { part, call, number }: Point, seed: u64) -> Ran {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={number}"));
    let mut tries = 0;
    loop {
        let ran =
            script(program, part, &["-f", "-e", &trace, "-e", &inject], Path::new("/dev/null"), seed).await;
        tries += 1;
        if ran.was_killed || !ran.faults.is_empty() || tries == TRIES {
            return ran;
        }
    }
}

/// Three resellers' callers and a service, of which a part is traced so; from the first start to the checker.
async fn script(program: &Path, part: Part, traced: &[&str], log: &Path, seed: u64) -> Ran {
    let world = World::new(program);
    let microsoft = world.microsoft().await;
    knows_all(&microsoft).await;
    let built = world.service().with_environment("TOKIO_WORKER_THREADS", "1");
    let was_killed_early = part == Part::FirstStart
        && first_start::is_killed(&world, &world.path().join("one"), traced, log).await;
    let mut replica = Replica::starts(built, &microsoft, "one", &Place::Sqlite).await;
    let callers = Arc::new(Callers::new(vec![replica.counter()]));
    let mut strace = match part {
        Part::FirstStart => None,
        Part::Script => Some(strace::attached(&mut replica.service, log, traced).await),
    };
    let (mut sending, mut resellers) = (JoinSet::new(), Vec::new());
    for number in 0..RESELLERS {
        let (reseller, sender_mailbox) = (reseller(number), mailbox(number));
        resellers.push(ResellerId::parse(&reseller).expect("a slug"));
        let settings = Settings { reseller, sender_mailbox, ..acme_settings() };
        sending.spawn(Arc::clone(&callers).sends_each_kind(settings, seed));
    }
    let mut answered = replica.gate.answered();
    let done = async {
        while sending.join_next().await.transpose().expect("a caller").is_some() {}
        let mails = (RESELLERS * OF_EACH_KIND) as u64;
        answered.wait_for(|answered| *answered >= mails).await.ok();
    };
    let died = tokio::select! {
        ended = replica.service.program().ends() => Some(ended),
        () = done => None,
    };
    let ended = match died {
        Some(ended) => ended,
        None => replica.service.is_asked_to_end().await,
    };
    if let Some(strace) = &mut strace {
        in_time("strace ends with the service", strace.wait()).await.expect("strace");
    }
    let was_killed = ended.signal() == Some(SIGKILL);
    assert!(was_killed || ended.success(), "{traced:?}: {ended}\n{}", replica.service.stderr());
    replica.is_sound().await;
    replica.returns().await;
    while sending.join_next().await.transpose().expect("a caller").is_some() {}
    let replicas = std::slice::from_mut(&mut replica);
    let (logs, faults) = judged(Database::Sqlite, replicas, "", &resellers, &callers, &microsoft).await;
    Ran {
        was_killed: was_killed || was_killed_early,
        faults,
        messages: logs.messages,
        doubled: logs.copies.values().filter(|copies| **copies > 1).count(),
        unanswered: callers.unanswered.load(Ordering::Relaxed),
        replayed: callers.replayed.load(Ordering::Relaxed),
    }
}

/// How often the thread that makes most of a call makes it, by `strace`'s log.
fn counted(log: &str) -> BTreeMap<&'static str, usize> {
    let mut by_thread: BTreeMap<_, usize> = BTreeMap::new();
    for (thread, made) in log.lines().filter_map(|line| line.split_once(' ')) {
        let name = made.trim_start().split_once('(').map(|(name, _)| name);
        if let Some(call) = CALLS.into_iter().find(|call| name == Some(*call)) {
            *by_thread.entry((call, thread)).or_default() += 1;
        }
    }
    let mut calls: BTreeMap<_, usize> = BTreeMap::new();
    for ((call, _), count) in by_thread {
        let most = calls.entry(call).or_default();
        *most = count.max(*most);
    }
    calls
}

impl Swept {
    /// Nothing was wrong, and nine in ten points were met: of the last ones, a script that ends sooner has none.
    fn is_good(&self) -> bool {
        let met = self.ran.iter().filter(|(_, ran)| ran.was_killed).count();
        met > 0 && met * 10 >= self.ran.len() * 9 && self.ran.iter().all(|(_, ran)| ran.faults.is_empty())
    }

    fn sum<N: std::iter::Sum>(&self, of: impl Fn(&Ran) -> N) -> N {
        self.ran.iter().map(|(_, ran)| of(ran)).sum()
    }
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| call | points | chosen | killed there |\n| --- | --- | --- | --- |")?;
        let mut row = |name: &str, all: usize, is: &dyn Fn(&Point) -> bool| {
            let chosen = self.ran.iter().filter(|(point, _)| is(point));
            let met = chosen.clone().filter(|(_, ran)| ran.was_killed).count();
            writeln!(f, "| {name} | {all} | {} | {met} |", chosen.count())
        };
        for ((part, call), count) in &self.calls {
            row(&format!("{part:?}: {call}"), *count, &|point| (point.part, point.call) == (*part, *call))?;
        }
        row("all", self.calls.values().sum(), &|_| true)?;
        writeln!(f, "\n| found | |\n| --- | --- |")?;
        for (name, is_such) in NAMED {
            let such = |ran: &Ran| ran.faults.iter().filter(|fault| is_such(fault)).count();
            writeln!(f, "| {name} | {} |", self.sum(such))?;
        }
        writeln!(f, "| faults of any kind | {} |", self.sum(|ran| ran.faults.len()))?;
        let ended =
            |state| self.sum(|ran| ran.messages.iter().filter(|message| message.state == state).count());
        let (sent, unknown) = (ended(MessageState::Sent), ended(MessageState::OutcomeUnknown));
        writeln!(f, "| messages: SENT, OUTCOME_UNKNOWN | {sent}, {unknown} |")?;
        writeln!(f, "| doubled, faults or not | {} |", self.sum(|ran| ran.doubled))?;
        let doubts = |ran: &Ran| {
            let attempts = ran.messages.iter().flat_map(|message| &message.attempts);
            attempts.filter(|attempt| attempt.outcome == Some(Outcome::InDoubt)).count()
        };
        writeln!(f, "| attempts in doubt | {} |", self.sum(doubts))?;
        let (unanswered, replayed) = (self.sum(|ran| ran.unanswered), self.sum(|ran| ran.replayed));
        writeln!(f, "| calls unanswered, known again | {unanswered}, {replayed} |")?;
        for (point, ran) in &self.ran {
            ran.faults.iter().try_for_each(|fault| writeln!(f, "{point:?}: {fault}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swept(was_killed: bool, faults: Vec<Fault>) -> Swept {
        let ran = Ran { was_killed, faults, ..Ran::default() };
        let point = Point { part: Part::Script, call: "fsync", number: 1 };
        Swept { calls: BTreeMap::from([((point.part, point.call), 1)]), ran: vec![(point, ran)] }
    }

    #[test]
    fn a_sweep_that_kills_and_finds_nothing_is_good() {
        assert!(swept(true, Vec::new()).is_good());
    }

    #[test]
    fn one_in_which_no_kill_struck_proves_nothing() {
        assert!(!swept(false, Vec::new()).is_good());
    }

    #[test]
    fn one_fault_is_too_many_and_is_told_with_its_point() {
        let swept = swept(true, vec![Fault::Lost("a mail".to_owned())]);
        assert!(!swept.is_good());
        assert!(swept.to_string().contains(r#"call: "fsync", number: 1 }: Lost"#), "{swept}");
    }

    #[test]
    fn calls_are_counted_by_the_thread_that_makes_most_of_them() {
        let log = "7 fsync(3) = 0\n8  fsync(3 <unfinished ...>\n8 <... fsync resumed>) = 0\n8 fsync(3) = 0\n8 read(4)";
        assert_eq!(counted(log), BTreeMap::from([("fsync", 2)]));
    }
}
