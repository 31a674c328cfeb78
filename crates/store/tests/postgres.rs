//! The suite on PostgreSQL, and what only a server can do: be shared, be restarted, be cut off, be somebody else's.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Act, MessageId, ResellerId, TestClock};
use postrider_store::conformance::{UNBOUNDED, World, seconds, token};
use postrider_store::{
    Accepted, Changed, Event, NewMessage, Options, Position, PostgresStore, StoreError, StoreHealth,
    StoreKind,
};
use postrider_testkit::postgres::Database;
use postrider_testkit::{Cut, Line, Postgres, in_time};
use sqlx::{Connection as _, PgConnection};

/// Less than a pool waits for a server that refuses.
const AT_ONCE: Duration = Duration::from_secs(4);

postrider_store::conformance!(world);

async fn world() -> World {
    world_of(&Postgres::shared().database()).await
}

async fn world_of(database: &Database<'_>) -> World {
    let clock = World::clock();
    let store = Arc::new(open(&database.url(), &clock).await);
    World::new(store, clock, ())
}

async fn world_behind_a_line(database: &Database<'_>) -> (World, Line) {
    let line = Line::to(&database.address()).await;
    let clock = World::clock();
    let store = Arc::new(open(&database.url_at(line.address()), &clock).await);
    (World::new(store, clock, ()), line)
}

async fn open(url: &str, clock: &Arc<TestClock>) -> PostgresStore {
    tries_to_open(url, clock, StoreKind::Real).await.expect("opened")
}

async fn tries_to_open(
    url: &str,
    clock: &Arc<TestClock>,
    kind: StoreKind,
) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(url, clock.clone(), Some(clock.clone()), Options::of(kind)).await
}

/// What the operator reads.
async fn refusal(url: &str, kind: StoreKind) -> String {
    match tries_to_open(url, &World::clock(), kind).await {
        Err(StoreError::Open(words)) => words,
        other => panic!("not refused: {other:?}"),
    }
}

/// Once a connection that was given up is replaced.
async fn once_back<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    in_time("the store is back", async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(StoreError::Unavailable { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other:?}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_commit_that_went_unanswered_is_unknown_and_reading_tells() {
    for (cut, is_there) in [(Cut::Before, false), (Cut::After, true)] {
        let database = Postgres::shared().database();
        let (world, line) = world_behind_a_line(&database).await;
        let acme = world.reseller("acme").await;
        let mail = world.mail_of_request(&acme, "order-1");
        line.cuts(cut, "COMMIT\0");

        let answer = world.store.accept(mail.clone(), UNBOUNDED).await;

        assert!(matches!(answer, Err(StoreError::CommitUnknown { .. })), "{cut:?}: {answer:?}");
        assert_eq!(line.times_cut(), 1, "{cut:?}");
        let read = once_back(async || world.store.get_message(&acme, &mail.id).await).await;
        assert_eq!(read.is_some(), is_there, "{cut:?}");
        let again = once_back(async || world.store.accept(mail.clone(), UNBOUNDED).await).await;
        assert_eq!(matches!(again, Accepted::Replayed(_)), is_there, "{cut:?}: {again:?}");
        assert_eq!(world.all(&acme).await.len(), 1, "{cut:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_its_commit_wrote_nothing_and_its_transaction_is_run_over_another() {
    let database = Postgres::shared().database();
    let (world, line) = world_behind_a_line(&database).await;
    let acme = world.reseller("acme").await;
    let mail = world.mail(&acme);
    line.cuts(Cut::After, "INSERT INTO contents");
    let answer = world.store.accept(mail.clone(), UNBOUNDED).await;
    assert!(matches!(answer, Ok(Accepted::New(_))), "{answer:?}");
    assert_eq!(line.times_cut(), 1);
    assert_eq!(world.all(&acme).await.len(), 1);
}

#[tokio::test]
async fn an_immediate_restart_of_the_server_heals_by_itself_and_loses_nothing() {
    let server = Postgres::started();
    let world = world_of(&server.database()).await;
    let acme = world.reseller("acme").await;
    let before = world.accepted(&acme).await;
    let mut health = world.store.health();

    server.stop("immediate");

    let mail = world.mail(&acme);
    // Each writer notices when it is asked.
    for name in ["acme", "beta", "gamma", "delta"] {
        let put = world.new_settings(&World::slug(name));
        let answer = world.store.put_settings(put).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    in_time("its health turns", health.wait_for(|health| *health == StoreHealth::Away))
        .await
        .expect("it lives");
    server.start();
    in_time("its health returns", health.wait_for(|health| *health == StoreHealth::Serving))
        .await
        .expect("it lives");
    let accepted = once_back(async || world.store.accept(mail.clone(), UNBOUNDED).await).await;
    assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
    let ids: Vec<_> = world.all(&acme).await.into_iter().map(|message| message.id).collect();
    assert_eq!(ids, [mail.id, before]);
}

/// Accepting looks before it writes, so that a server that is away is met by a read.
#[tokio::test]
async fn a_server_that_stops_is_told_by_whoever_reads_and_nobody_waits_for_it() {
    let server = Postgres::started();
    let world = world_of(&server.database()).await;
    let acme = world.reseller("acme").await;
    let mail = world.accepted(&acme).await;
    let mut health = world.store.health();
    server.stop("fast");

    for _ in 0..3 {
        let read = tokio::time::timeout(AT_ONCE, world.store.get_message(&acme, &mail)).await;
        assert!(matches!(read, Ok(Err(StoreError::Unavailable { .. }))), "{read:?}");
    }

    in_time("its health turns", health.wait_for(|health| *health == StoreHealth::Away))
        .await
        .expect("it lives");
    server.start();
    in_time("its health returns", health.wait_for(|health| *health == StoreHealth::Serving))
        .await
        .expect("it lives");
    let read = world.store.get_message(&acme, &mail).await.expect("an answer");
    assert!(read.is_some(), "read as if nothing had been");
}

#[tokio::test]
async fn a_server_that_stops_turns_health_though_nobody_asks_for_anything() {
    let server = Postgres::started();
    let world = world_of(&server.database()).await;
    let mut health = world.store.health();
    server.stop("fast");
    in_time("its health turns", health.wait_for(|health| *health == StoreHealth::Away))
        .await
        .expect("it lives");
}

#[tokio::test]
async fn the_first_write_of_every_writer_after_a_restart_is_done() {
    let server = Postgres::started();
    let world = world_of(&server.database()).await;
    let mut health = world.store.health();
    for (mode, names) in
        [("fast", ["acme", "beta", "gamma", "delta"]), ("immediate", ["north", "south", "east", "west"])]
    {
        server.stop(mode);
        in_time("its health turns", health.wait_for(|health| *health == StoreHealth::Away))
            .await
            .expect("it lives");
        server.start();
        in_time("its health returns", health.wait_for(|health| *health == StoreHealth::Serving))
            .await
            .expect("it lives");

        for name in names {
            let put = world.new_settings(&World::slug(name));
            world.store.put_settings(put).await.unwrap_or_else(|error| panic!("{mode}, {name}: {error}"));
        }
    }
}

/// Two replicas on one database, as two processes have them.
async fn two(database: &Database<'_>) -> (World, World) {
    let clock = World::clock();
    let (one, other) = (open(&database.url(), &clock).await, open(&database.url(), &clock).await);
    (World::new(Arc::new(one), clock.clone(), ()), World::new(Arc::new(other), clock, ()))
}

#[tokio::test]
async fn two_stores_share_one_database() {
    let database = Postgres::shared().database();
    let (one, other) = two(&database).await;
    let acme = one.reseller("acme").await;
    let mut heard = other.store.changes();
    let twin = one.mail_of_request(&acme, "order-1");
    let (a, b) = tokio::join!(
        one.store.accept(twin.clone(), UNBOUNDED),
        other.store.accept(NewMessage { id: MessageId::of_uuid(uuid::Uuid::max()), ..twin }, UNBOUNDED)
    );
    let (a, b) = (a.expect("an answer"), b.expect("an answer"));
    let id = |accepted: &Accepted| match accepted {
        Accepted::New(message) | Accepted::Replayed(message) => message.id,
        Accepted::Refused(refused) => panic!("{refused:?}"),
    };
    assert_eq!(id(&a), id(&b), "twins are one message");
    assert_eq!([&a, &b].iter().filter(|one| matches!(one, Accepted::New(_))).count(), 1);
    assert!(one.lease(&acme, token(1)).await.is_some());
    assert!(other.lease(&acme, token(2)).await.is_none(), "a lane has one holder");
    assert!(other.store.renew(&acme, token(2), seconds(10)).await.expect("an answer").is_none());
    let later = one.accepted(&acme).await;
    in_time("the other hears of it", async {
        loop {
            match heard.recv().await.expect("it lives") {
                Changed::Message(_, Some(id)) if id == later => return,
                _ => {}
            }
        }
    })
    .await;
}

fn names(events: &[Event]) -> Vec<(&str, i64)> {
    events.iter().map(|event| (event.reseller.as_str(), event.number)).collect()
}

async fn told(world: &World, after: &Position) -> Vec<Event> {
    world.store.all_events(after, 100).await.expect("an answer").expect("none is gone")
}

/// The other replica's transaction has written its event and is not done, while this one's commit.
#[tokio::test]
async fn a_watch_has_no_gap_and_no_repetition_though_a_slow_transaction_commits_late() {
    let server = Postgres::started();
    let database = server.database();
    let (one, other) = two(&database).await;
    let (acme, slow) = (one.reseller("acme").await, one.reseller("slow").await);
    database.sql(
        "CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
         CREATE TRIGGER waits AFTER INSERT ON events FOR EACH ROW WHEN (NEW.reseller = 'slow') EXECUTE FUNCTION waits();",
    );
    let mut door = PgConnection::connect(&database.url()).await.expect("connected");
    sqlx::raw_sql("SELECT pg_advisory_lock(7)").execute(&mut door).await.expect("locked");
    let start = one.store.last_position().await.expect("a position");
    let mail = other.mail(&slow);
    let store = other.store.clone();
    let late = tokio::spawn(async move { store.accept(mail, UNBOUNDED).await });
    in_time("the slow transaction waits", async {
        while database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0"
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..3 {
        one.accepted(&acme).await;
    }
    let held_back = told(&one, &start).await;
    assert!(held_back.is_empty(), "what may still be preceded is not told: {:?}", names(&held_back));

    sqlx::raw_sql("SELECT pg_advisory_unlock(7)").execute(&mut door).await.expect("unlocked");

    late.await.expect("done").expect("accepted");
    let mut all: Vec<Event> = Vec::new();
    in_time("all is told", async {
        while all.len() < 4 {
            let after = all.last().map_or_else(|| start.clone(), Event::position);
            // A page of one: each step is a cursor that is gone on from.
            let page = other.store.all_events(&after, 1).await.expect("an answer").expect("none is gone");
            all.extend(page);
        }
    })
    .await;
    assert_eq!(names(&all), [("slow", 1), ("acme", 1), ("acme", 2), ("acme", 3)]);
}

#[tokio::test]
async fn a_serialization_failure_is_tried_again_and_has_one_effect() {
    for when in [
        "AFTER INSERT ON messages FOR EACH ROW",
        "AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    ] {
        let database = Postgres::shared().database();
        let world = world_of(&database).await;
        let acme = world.reseller("acme").await;
        let kind = if when.contains("DEFERRED") { "CONSTRAINT TRIGGER" } else { "TRIGGER" };
        database.sql(&format!(
            "CREATE SEQUENCE faults;
             CREATE FUNCTION fails_once() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF nextval('faults') = 1 THEN RAISE EXCEPTION 'injected' USING ERRCODE = 'serialization_failure'; END IF;
                 RETURN NULL;
             END $$;
             CREATE {kind} fails_once {when} EXECUTE FUNCTION fails_once();"
        ));
        let accepted = world.accepts(world.mail_of_request(&acme, "order-1")).await;
        assert_eq!(
            database.sql("SELECT last_value FROM faults"),
            "2",
            "{when}: it was raised once and passed once"
        );
        assert_eq!(world.all(&acme).await, [accepted], "{when}");
        assert_eq!(world.store.last_event(&acme).await.expect("an answer"), 1, "{when}");
        let queue = world.store.queue().await.expect("a queue");
        assert_eq!(queue.messages, 1, "{when}");
    }
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let server = Postgres::started();
    let database = server.database();
    for setting in ["fsync", "full_page_writes"] {
        server.administers(&format!("ALTER SYSTEM SET {setting} = off"));
        server.administers("SELECT pg_reload_conf()");
        in_time("the setting holds", async {
            while database.sql(&format!("SHOW {setting}")) == "on" {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let expected = format!(
            "PostgreSQL runs with {setting} off, and so may lose mail that was accepted: set {setting} = on"
        );
        assert_eq!(refusal(&database.url(), StoreKind::Real).await, expected);
        server.administers(&format!("ALTER SYSTEM RESET {setting}"));
        server.administers("SELECT pg_reload_conf()");
        in_time("the setting holds", async {
            while database.sql(&format!("SHOW {setting}")) == "off" {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    open(&database.url(), &World::clock()).await.close().await;
    server.becomes_a_standby();
    let words = refusal(&database.url(), StoreKind::Real).await;
    assert_eq!(words, "PostgreSQL is a standby, which takes no writes: let storage.url name the primary");
}

#[tokio::test]
async fn a_database_that_is_not_this_programs_is_refused_and_left_as_it_was() {
    let newer = Postgres::shared().database();
    open(&newer.url(), &World::clock()).await.close().await;
    newer.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '\\x00', 0)",
    );
    insta::assert_snapshot!(refusal(&newer.url(), StoreKind::Real).await, @"the database was made by a newer Postrider: upgrade this program, or restore the backup made before that upgrade");
    let real = Postgres::shared().database();
    open(&real.url(), &World::clock()).await.close().await;
    insta::assert_snapshot!(refusal(&real.url(), StoreKind::Sandbox).await, @"the database holds real mail, which the sandbox would swallow: start without --sandbox, or name another database");
    let others = Postgres::shared().database();
    others.sql("CREATE TABLE meta (recipe text)");
    insta::assert_snapshot!(refusal(&others.url(), StoreKind::Real).await, @"the database has tables that are not Postrider's: let storage.url name a database of its own");
    assert_eq!(others.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let words = refusal("postgres://postrider:s3cret@127.0.0.1:1/postrider", StoreKind::Real).await;
    assert!(
        words.starts_with("PostgreSQL at 127.0.0.1:1 cannot be reached (") && !words.contains("s3cret"),
        "{words}"
    );
}

/// Whoever comes first brings the schema up to date; the others wait for it.
#[tokio::test]
async fn replicas_that_start_at_once_on_an_empty_database_all_open_it() {
    let database = Postgres::shared().database();
    let clock = World::clock();
    let url = database.url();
    let opened = futures::future::join_all((0..6).map(|_| open(&url, &clock))).await;
    let world = World::new(Arc::new(opened.into_iter().next().expect("the first")), clock, ());
    let acme: ResellerId = world.reseller("acme").await;
    world.accepted(&acme).await;
    let each_once = "SELECT count(*) > 0 AND count(*) = max(version) FROM _sqlx_migrations";
    assert_eq!(database.sql(each_once), "t");
}

/// By a hand that has the database and leaves its guards.
#[tokio::test]
async fn an_audit_event_is_neither_changed_nor_taken_out_alone_or_with_all() {
    let database = Postgres::shared().database();
    let world = world_of(&database).await;
    let acme = world.reseller("acme").await;
    let act = Act {
        actor: "k1".to_owned(),
        action: "PauseSending".to_owned(),
        resellers: vec![acme],
        source_address: String::new(),
        details: BTreeMap::new(),
    };
    world.store.note(act).await.expect("noted");
    let mut db = PgConnection::connect(&database.url()).await.expect("connected");
    for sql in ["UPDATE audit_events SET actor = 'k2'", "DELETE FROM audit_events", "TRUNCATE audit_events"] {
        let tried = sqlx::raw_sql(sql).execute(&mut db).await;
        let refused = tried.map_err(|error| error.to_string()).expect_err(sql);
        assert!(refused.contains("neither changed nor taken out"), "{refused}");
    }
}
