//! Torn disks: what the service writes under load is recorded, the power is cut at thousands of moments of the record, and each
//! image that could be left is opened: sound, with every message that was acknowledged before.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postrider_testkit::{World, acme_settings, in_time, mail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;

use crate::disk::{Disk, Image};
use crate::journal::{self, Event};
use crate::strace;

const CALLERS: usize = 6;
const MAILS_EACH: usize = 25;
/// One image in so many is also shown to `postrider check-store`.
const CHECKED: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Torn {
    pub(crate) images: usize,
    pub(crate) acknowledged: usize,
    pub(crate) corrupt: usize,
    /// Images in which acknowledged mail is missing.
    pub(crate) losing: usize,
    /// Images that `check-store` found sound.
    pub(crate) checked: usize,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, acknowledged, corrupt, losing, checked } = self;
        write!(
            f,
            "{images} images ({checked} of them sound to check-store), {acknowledged} acknowledgements: \
             {corrupt} corrupt, {losing} with a lost acknowledgement"
        )
    }
}

/// What the service's disk keeps, and what one would that syncs as `NORMAL` does: the canary, which must find losses.
pub(crate) async fn run(program: &Path, images: usize, seed: u64) -> (Torn, Torn) {
    let world = World::new(program);
    let record = Record::of(&world).await;
    let full = record.replay(&world, images, seed, false).await;
    let careless = record.replay(&world, images.div_ceil(10), seed, true).await;
    assert!(full.corrupt == 0 && full.losing == 0, "seed {seed}: {full}");
    assert!(careless.losing > 0, "the canary sings no more: {careless}");
    (full, careless)
}

/// What was on disk when it began, and all that was done after.
struct Record {
    database: Vec<u8>,
    log: Vec<u8>,
    events: Vec<Event>,
}

impl Record {
    async fn of(world: &World) -> Self {
        let microsoft = world.microsoft().await;
        let service =
            world.service().sending_to(&microsoft).with("pace.messages_per_minute", "0").starts().await;
        service.admin().puts(acme_settings()).await;
        let first = service.admin().sends(mail("acme").waiting_for_sent()).await;
        let log = world.path().join("strace.log");
        let mut service = service;
        let mut strace = strace::attached(&mut service, &log, &journal::STRACE).await;
        let file = |name: &str| std::fs::read(service.data_dir().join(name)).expect("a file of the database");
        let (database, wal) = (file("postrider.db"), file("postrider.db-wal"));
        let mut told = BTreeSet::from([first.message_id]);
        let mut sending = JoinSet::new();
        for _ in 0..CALLERS {
            let client = service.admin().on_another_connection();
            sending.spawn(async move {
                let mut told = Vec::new();
                for _ in 0..MAILS_EACH {
                    told.push(client.sends(mail("acme")).await.message_id);
                }
                told
            });
        }
        while let Some(ids) = sending.join_next().await {
            told.extend(ids.expect("a caller"));
        }
        service.is_asked_to_end().await;
        in_time("strace ends with the service", strace.wait()).await.expect("strace");
        let events = journal::read(&log, &told);
        Self { database, log: wal, events }
    }

    async fn replay(&self, world: &World, images: usize, seed: u64, is_careless: bool) -> Torn {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut cuts: Vec<usize> = (0..images).map(|_| chance.usize(0..=self.events.len())).collect();
        cuts.sort_unstable();
        let mut disk = Disk::of(self.database.clone(), self.log.clone(), is_careless);
        let (mut acknowledged, mut at, mut torn) = (BTreeSet::new(), 0, Torn::default());
        for cut in cuts {
            for event in &self.events[at..cut] {
                disk.applies(event);
                if let Event::Acknowledged(id) = event {
                    acknowledged.insert(id.clone());
                }
            }
            at = cut;
            let image = disk.image(&mut chance);
            torn.images += 1;
            match opened(&image, world, torn.images % CHECKED == 0 && !is_careless).await {
                Some(found) => torn.losing += usize::from(!acknowledged.is_subset(&found)),
                None => torn.corrupt += 1,
            }
            torn.checked += usize::from(torn.images % CHECKED == 0 && !is_careless);
        }
        let is_ack = |event: &&Event| matches!(event, Event::Acknowledged(_));
        torn.acknowledged = self.events.iter().filter(is_ack).count();
        assert!(
            torn.acknowledged >= CALLERS * MAILS_EACH,
            "acknowledgements are missing in the record: {torn}"
        );
        torn
    }
}

/// The ids of all messages in it; `None`: it is damaged.
async fn opened(image: &Image, world: &World, is_checked: bool) -> Option<BTreeSet<String>> {
    let folder = tempfile::tempdir_in(memory()).expect("a folder");
    let database = folder.path().join("postrider.db");
    std::fs::write(&database, &image.database).expect("an image");
    std::fs::write(folder.path().join("postrider.db-wal"), &image.log).expect("an image");
    if is_checked {
        let data_dir = folder.path().display().to_string();
        let checked = world.runs(&["check-store", "--data-dir", &data_dir]).await;
        assert_eq!(checked.code, 0, "a torn image is broken: {}{}", checked.stdout, checked.stderr);
    }
    let options = SqliteConnectOptions::new().filename(&database).journal_mode(SqliteJournalMode::Wal);
    let mut db = options.busy_timeout(Duration::ZERO).connect().await.ok()?;
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut db).await.ok()?;
    let ids: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT message_id FROM messages").fetch_all(&mut db).await.ok()?;
    db.close().await.ok()?;
    let shown = |id: &Vec<u8>| uuid::Uuid::from_slice(id).map(|id| id.hyphenated().to_string());
    (whole == "ok").then(|| ids.iter().filter_map(|id| shown(id).ok()).collect())
}

fn memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}
