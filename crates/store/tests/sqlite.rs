//! The suite on SQLite, and what only a file can do: be opened again, be damaged, be somebody else's.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use postrider_domain::{Act, FindingCode, MessageState, PaceLimits, Resolution, SettingsState, TestClock};
use postrider_store::conformance::{UNBOUNDED, World, at, doubt, held_by, hold, sent, token};
use postrider_store::{
    Accepted, AuditStore, MessageFilter, NewMessage, Options, Outbox, SealedRecord, SealedStore,
    SettingsStore, SqliteStore, StoreError, StoreKind, TestMail,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

postrider_store::conformance!(world);

/// Whoever has the files and the key beside them could read it.
#[tokio::test]
async fn nothing_of_a_destroyed_credential_is_left_in_the_files_of_a_closed_database() {
    let home = Home::new();
    let store = home.open().await.expect("opened");
    let acme = World::slug("acme");
    let bytes = |version: &str| format!("<sealed credential of {version}>").repeat(20).into_bytes();
    for version in ["old", "new"] {
        let record = SealedRecord { version: version.into(), ciphertext: bytes(version), create_time: at(0) };
        store.put_sealed(&acme, record).await.expect("put");
    }
    store.prune_sealed(&acme, Some("new"), at(1)).await.expect("pruned");
    store.close().await;
    let holds = |version: &str| {
        let wanted = &bytes(version)[..26];
        let files = std::fs::read_dir(home.directory.path()).expect("a directory");
        let files = files.map(|file| std::fs::read(file.expect("a file").path()).expect("read"));
        files.filter(|file| file.windows(26).any(|part| part == wanted)).count()
    };
    assert_eq!((holds("old"), holds("new")), (0, 1));
}

fn refused(actor: &str) -> Act {
    Act {
        actor: actor.to_owned(),
        action: "SendMail".to_owned(),
        resellers: Vec::new(),
        source_address: String::new(),
        details: BTreeMap::new(),
    }
}

async fn world() -> World {
    Home::new().world().await
}

/// A data directory.
struct Home {
    directory: Arc<TempDir>,
    clock: Arc<TestClock>,
    /// Of the last world, whose process ends before that of the next begins.
    last: Mutex<Option<Arc<SqliteStore>>>,
}

impl Home {
    fn new() -> Self {
        let directory = Arc::new(TempDir::new().expect("a directory"));
        Self { directory, clock: World::clock(), last: Mutex::default() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("postrider.db")
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path(), self.clock.clone(), Options::of(StoreKind::Real)).await
    }

    async fn world(&self) -> World {
        self.end().await;
        let store = Arc::new(self.open().await.expect("opened"));
        *self.last.lock().expect("unpoisoned") = Some(Arc::clone(&store));
        World::new(store, self.clock.clone(), Arc::clone(&self.directory))
    }

    async fn end(&self) {
        let last = self.last.lock().expect("unpoisoned").take();
        if let Some(last) = last {
            last.close().await;
        }
    }

    /// What the operator reads.
    async fn refusal(&self) -> String {
        match self.open().await {
            Err(StoreError::Open(words)) => words.replace(&self.path().display().to_string(), "DB"),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// As somebody else's hand.
    async fn write(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        let mut db = options.connect().await.expect("connected");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.expect("written");
        db.close().await.expect("closed");
    }
}

async fn closed(home: &Home) {
    home.open().await.expect("opened").close().await;
}

#[test]
fn every_promise_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let list = std::fs::read_to_string(folder.join("mod.rs")).expect("the list");
    for entry in std::fs::read_dir(folder).expect("the suite") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split('(').next().expect("a name");
            assert!(list.contains(&format!(" {name}\n")), "{name} is not in the list of conformance/mod.rs");
        }
    }
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let first = world.accepts(world.mail_of_request(&acme, "order-1")).await;
    let again = world.mail_of_request(&acme, "order-1");
    drop(world);
    let world = home.world().await;
    assert_eq!(world.message(&acme, first.id).await, first);
    assert!(world.has_content(&acme, first.id).await && world.is_due(&acme).await);
    let answer = world.store.accept(again, UNBOUNDED).await.expect("an answer");
    assert!(matches!(&answer, Accepted::Replayed(message) if message.id == first.id), "{answer:?}");
}

#[tokio::test]
async fn a_restart_frees_the_lanes_and_open_attempts_count_until_their_deadline() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let (open, other) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), open, 1).await);
    drop(world);
    let world = home.world().await;
    let lease = world.leased(&acme, token(2)).await;
    assert_eq!(lease.open_attempts.iter().map(|open| open.queued.id).collect::<Vec<_>>(), [open]);
    assert!(world.starts(&acme, token(2), other, 1).await, "the others go on");
    world.ends(&acme, other, 1, sent()).await;
    assert_eq!(world.release(&acme, token(2)).await, Some(at(60)));
    world.advance(60);
    world.leased(&acme, token(3)).await;
    world.ends(&acme, open, 1, doubt(Resolution::Again { at: at(75), counts: true })).await;
    assert_eq!(world.release(&acme, token(3)).await, Some(at(75)));
}

#[tokio::test]
async fn a_lane_with_nothing_but_an_open_attempt_is_due_at_its_deadline_after_a_restart() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let open = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), open, 1).await);
    drop(world);
    let world = home.world().await;
    assert_eq!(world.next_due().await, Some(at(60)));
}

#[tokio::test]
async fn a_hold_outlives_a_restart() {
    let home = Home::new();
    let world = home.world().await;
    let (acme, id) = world.held_lane("acme", 30).await;
    drop(world);
    let world = home.world().await;
    assert_eq!(world.state(&acme, id).await, MessageState::Held);
    assert_eq!(world.settings(&acme).await.status.state, SettingsState::Paused);
    assert_eq!(world.next_due().await, Some(at(30)));
}

#[tokio::test]
async fn a_test_mail_that_nobody_will_resolve_is_in_doubt_after_its_deadline() {
    let home = Home::new();
    let world = home.world().await;
    let nobody = World::slug("nobody");
    let message = world.mail(&nobody);
    let (id, start) = (message.id, world.attempt(message.id, 1));
    let mailbox = World::mailbox("sales");
    let limits = PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 0 };
    world.store.accept_test(TestMail { message, mailbox, limits, start }).await.expect("accepted");
    drop(world);
    let world = home.world().await;
    assert!(!world.store.purge().await.expect("an answer"));
    assert_eq!(world.state(&nobody, id).await, MessageState::Sending);
    world.advance(60);
    assert!(!world.store.purge().await.expect("resolved"));
    let message = world.message(&nobody, id).await;
    assert_eq!(message.state, MessageState::OutcomeUnknown);
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::OutcomeUnknown));
}

#[tokio::test]
async fn many_callers_at_once_lose_nothing() {
    let home = Home::new();
    let world = Arc::new(home.world().await);
    let acme = world.reseller("acme").await;
    let callers = (0..500).map(|_| {
        let (world, acme) = (Arc::clone(&world), acme.clone());
        tokio::spawn(async move { world.accepted(&acme).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("accepted");
    }
    home.end().await;
    let store = home.open().await.expect("opened again");
    let all = MessageFilter { limit: 1_000, ..MessageFilter::default() };
    assert_eq!(store.list_messages(&acme, all).await.expect("a page").messages.len(), 500);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_stop_its_write() {
    let world = world().await;
    let acme = world.reseller("acme").await;
    let new = world.mail(&acme);
    let id = new.id;
    {
        let mut accept = Box::pin(world.store.accept(new, UNBOUNDED));
        // One poll hands the write in; then the caller is gone.
        assert!(futures::poll!(accept.as_mut()).is_pending());
    }
    world.accepted(&acme).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Accepted);
}

#[tokio::test]
async fn a_closed_store_refuses_and_its_file_is_whole() {
    let home = Home::new();
    let store = home.open().await.expect("opened");
    store.close().await;
    let refused = store.get_settings(&World::slug("acme")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let world = World::new(Arc::new(store), home.clock.clone(), ());
    let refused = world.store.put_settings(world.new_settings(&World::slug("acme"))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let files = std::fs::read_dir(home.directory.path()).expect("files");
    let files: BTreeSet<_> = files.map(|file| file.expect("a file").file_name()).collect();
    assert_eq!(files, ["postrider.db", "postrider.db.lock"].map(Into::into).into());
}

#[tokio::test]
async fn a_file_has_one_process_and_the_next_touches_nothing_before() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    insta::assert_snapshot!(home.refusal().await, @"another postrider has DB; stop it");
    let link = home.directory.path().join("link.db");
    std::os::unix::fs::symlink(home.path(), &link).expect("linked");
    let by_link = SqliteStore::open(&link, home.clock.clone(), Options::of(StoreKind::Real)).await;
    assert!(by_link.is_err_and(|error| error.to_string().starts_with("another postrider has ")));
    assert!(world.starts(&acme, token(1), id, 1).await, "the lease is not void");
    home.end().await;
    closed(&home).await;
}

#[tokio::test]
async fn the_lock_is_this_users_alone() {
    let home = Home::new();
    closed(&home).await;
    for name in ["postrider.db", "postrider.db.lock"] {
        let found = std::fs::metadata(home.directory.path().join(name)).expect("there");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let home = Home::new();
    let path = home.directory.path().join("absent/postrider.db");
    let error = SqliteStore::open(&path, home.clock.clone(), Options::of(StoreKind::Real))
        .await
        .expect_err("refused");
    let words = error.to_string().replace(&home.directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(words, @"DIR/absent is not there: make the data directory, or name another");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_as_it_was() {
    let home = Home::new();
    std::fs::write(home.path(), "Dear diary, ".repeat(1_000)).expect("written");
    insta::assert_snapshot!(home.refusal().await, @"DB is not a SQLite database: restore it from a backup, or name another data directory");
    assert!(std::fs::read_to_string(home.path()).expect("still there").starts_with("Dear diary"));
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    let home = Home::new();
    std::fs::write(home.path(), "").expect("written");
    insta::assert_snapshot!(home.refusal().await, @"DB is empty, which a database never is: restore it from a backup, or delete it to begin anew");
}

#[tokio::test]
async fn a_damaged_page_is_found_when_the_file_is_opened() {
    let home = Home::new();
    closed(&home).await;
    let mut bytes = std::fs::read(home.path()).expect("read");
    let pages = bytes.len() / 4_096;
    for page in 1..pages {
        bytes[page * 4_096..page * 4_096 + 64].fill(0xA5);
    }
    std::fs::write(home.path(), &bytes).expect("damaged");
    let words = home.refusal().await;
    assert!(
        words.starts_with("DB is damaged (") && words.ends_with("): restore it from a backup"),
        "{words}"
    );
    assert_eq!(std::fs::read(home.path()).expect("read"), bytes, "nothing was written to it");
}

#[tokio::test]
async fn a_file_of_a_newer_postrider_is_refused() {
    let home = Home::new();
    closed(&home).await;
    home.write(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    insta::assert_snapshot!(home.refusal().await, @"DB was made by a newer Postrider: upgrade this program, or restore the backup made before that upgrade");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let home = Home::new();
    home.write("CREATE TABLE recipes (name TEXT)").await;
    insta::assert_snapshot!(home.refusal().await, @"DB is a database, but not Postrider's: name another data directory");
}

#[tokio::test]
async fn real_mail_and_the_sandboxs_never_meet() {
    let home = Home::new();
    closed(&home).await;
    let swapped = SqliteStore::open(&home.path(), home.clock.clone(), Options::of(StoreKind::Sandbox)).await;
    let words = swapped.expect_err("refused").to_string().replace(&home.path().display().to_string(), "DB");
    insta::assert_snapshot!(words, @"DB holds real mail, which the sandbox would swallow: start without --sandbox, or name another data directory");
    let home = Home::new();
    let sandbox = SqliteStore::open(&home.path(), home.clock.clone(), Options::of(StoreKind::Sandbox)).await;
    sandbox.expect("opened").close().await;
    insta::assert_snapshot!(home.refusal().await, @"DB holds the sandbox's mail, which must never be sent: start with --sandbox, or name another data directory");
}

#[tokio::test]
async fn a_half_made_file_is_made_anew() {
    let home = Home::new();
    std::fs::write(home.directory.path().join("postrider.db.new"), "half").expect("written");
    closed(&home).await;
    closed(&home).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_fails_its_own_read_only() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let (bad, good) = (world.accepted(&acme).await, world.accepted(&acme).await);
    home.write(
        "UPDATE messages SET finding_code = 'UNHEARD_OF', finding_class = 'limit', finding_evidence = '{}'
         WHERE message_id = x'00000000000000000000000000000001'",
    )
    .await;
    let error = world.store.get_message(&acme, &bad).await.expect_err("unreadable");
    insta::assert_snapshot!(error.to_string(), @"messages.finding_code of acme/00000000-0000-0000-0000-000000000001 cannot be read");
    assert_eq!(world.state(&acme, good).await, MessageState::Accepted);
    world.tries(&acme, good, 1, held_by(hold(30))).await;
    assert_eq!(world.state(&acme, good).await, MessageState::Held);
}

#[tokio::test]
async fn a_lane_that_cannot_be_read_keeps_no_other_and_wakes_nobody() {
    let home = Home::new();
    let world = home.world().await;
    let (acme, beta, gamma) =
        (world.reseller("acme").await, world.reseller("beta").await, world.reseller("gamma").await);
    for reseller in [&acme, &gamma] {
        world.accepted(reseller).await;
    }
    world.accepts(NewMessage { send_time: Some(at(40)), ..world.mail(&beta) }).await;
    home.write(
        "UPDATE resellers SET mailbox = 'nobody' WHERE reseller = 'acme';
         UPDATE resellers SET hold_code = 'UNHEARD_OF', hold_class = '', hold_evidence = '{}', hold_probe_time = 0, hold_probes = 0
         WHERE reseller = 'gamma'",
    )
    .await;
    assert!(!world.is_due(&acme).await);
    assert!(world.lease(&gamma, token(1)).await.is_none(), "only its holder reads the hold");
    assert!(!world.is_due(&gamma).await);
    assert_eq!(world.next_due().await, Some(at(40)), "the others' time");
    world.advance(40);
    let due = world.store.due_lanes(world.now(), 1, &[]).await.expect("due lanes");
    assert_eq!(due.first().map(|lane| &lane.reseller), Some(&beta), "the unread take no place");
    for reseller in [&acme, &gamma] {
        world.put(world.new_settings(reseller)).await;
        world.leased(reseller, token(2)).await;
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_leave_an_end() {
    let home = Home::new();
    let world = home.world().await;
    let acme = world.reseller("acme").await;
    let id = world.accepts(NewMessage { ..world.mail(&acme) }).await.id;
    world.tries(&acme, id, 1, sent()).await;
    let options = SqliteConnectOptions::new().filename(home.path());
    let mut db = options.connect().await.expect("connected");
    for state in ["deferred", "failed", "held"] {
        let sql = format!("UPDATE messages SET state = '{state}', end_time = NULL");
        assert!(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.is_err(), "{state}");
    }
}

/// By a hand that has the file and leaves its guards.
#[tokio::test]
async fn an_audit_event_is_neither_changed_nor_replaced_nor_taken_out() {
    let home = Home::new();
    let store = home.open().await.expect("opened");
    store.note(refused("k1")).await.expect("noted");
    store.close().await;
    let mut db = SqliteConnectOptions::new().filename(home.path()).connect().await.expect("connected");
    for sql in [
        "UPDATE audit_events SET actor = 'k2'",
        "DELETE FROM audit_events",
        "INSERT OR REPLACE INTO audit_events SELECT reseller, number, time, 'k2', action, source_address, details,
         previous_hash, hash FROM audit_events",
    ] {
        let tried = sqlx::raw_sql(sql).execute(&mut db).await;
        let refused = tried.map_err(|error| error.to_string()).expect_err(sql);
        assert!(refused.contains("an audit event is not"), "{refused}");
    }
    db.close().await.expect("closed");
    home.open().await.expect("opened").note(refused("k1")).await.expect("more is told");
}
