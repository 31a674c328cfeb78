//! The suite on PostgreSQL behind pgbouncer in transaction mode, where nothing stays on a connection.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::sync::Arc;

use postrider_domain::{Clock as _, SystemClock};
use postrider_store::conformance::{UNBOUNDED, World};
use postrider_store::{Accepted, NewMessage, Options, Outbox as _, PostgresStore, StoreKind};
use postrider_testkit::{Pgbouncer, Postgres};

postrider_store::conformance!(world);

async fn world() -> World {
    let database = Postgres::shared().database();
    let clock = World::clock();
    let options = Options::of(StoreKind::Real);
    let opened = PostgresStore::open(&url(&database), clock.clone(), Some(clock.clone()), options).await;
    World::new(Arc::new(opened.expect("opened")), clock, ())
}

/// As the documents tell operators to write it.
fn url(database: &postrider_testkit::postgres::Database<'_>) -> String {
    format!("{}?statement-cache-capacity=0", database.url_at(&Pgbouncer::shared().address()))
}

/// With the database's own clock, which is looked at outside of transactions.
#[tokio::test]
async fn replicas_that_share_a_few_connections_do_not_get_one_anothers_answers() {
    let database = Postgres::shared().database();
    let open = async || {
        let clock = Arc::new(SystemClock::default());
        let store = PostgresStore::open(&url(&database), clock, None, Options::of(StoreKind::Real)).await;
        Arc::new(store.expect("opened"))
    };
    let replicas = futures::future::join_all((0..12).map(|_| open())).await;
    let world = World::new(replicas[0].clone(), World::clock(), ());
    let acme = world.reseller("acme").await;
    let mails: Vec<NewMessage> = (0..80).map(|_| world.mail(&acme)).collect();
    let accepting = mails.iter().enumerate().map(|(number, mail)| {
        let (store, mail, acme) = (replicas[number % replicas.len()].clone(), mail.clone(), acme.clone());
        tokio::spawn(async move {
            let id = mail.id;
            let accepted = store.accept(mail, UNBOUNDED).await.expect("accepted");
            assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
            let read = store.get_message(&acme, &id).await.expect("read").expect("there");
            assert_eq!(read.id, id);
        })
    });
    for one in accepting.collect::<Vec<_>>() {
        one.await.expect("done");
    }
    assert_eq!(world.all(&acme).await.len(), 80);
    let ours = SystemClock::default().now();
    for replica in &replicas {
        assert!(replica.clock().now().duration_since(ours).abs().as_secs() < 5, "one machine, one time");
        replica.close().await;
    }
}
