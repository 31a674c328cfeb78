//! Replicas on PostgreSQL are restarted one after the other under load, and no caller that repeats by `RetryInfo` notices.
//!
//! The callers are our own client of `clients/rust`; before the replicas stands what a platform has there, which knows
//! neither of drains nor of gRPC: it gives each connection to a replica that takes it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use postrider_client::{Client, v1};
use postrider_proto::v1::MessageState;
use postrider_testkit::{Postgres, acme_settings, in_time, mail};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::replicas::fleet;
use crate::support::doubts;

const CALLERS: usize = 6;
/// Mails between two steps of the roll.
const PROGRESS: usize = 20;

/// Gives each connection to the next replica that takes it.
#[derive(Clone)]
struct Balancer {
    url: String,
    replicas: Arc<Mutex<Vec<String>>>,
}

impl Balancer {
    async fn before(replicas: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let balancer = Self { url, replicas: Arc::new(Mutex::new(replicas)) };
        let serving = balancer.clone();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    if let Some(mut replica) = serving.next().await {
                        // A connection that breaks ends for both.
                        drop(tokio::io::copy_bidirectional(&mut caller, &mut replica).await);
                    }
                });
            }
        });
        balancer
    }

    async fn next(&self) -> Option<TcpStream> {
        let addresses = {
            let mut replicas = self.replicas.lock().unwrap();
            replicas.rotate_left(1);
            replicas.clone()
        };
        for address in addresses {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Some(stream);
            }
        }
        None
    }

    /// A replica that returned listens elsewhere.
    fn moved(&self, from: &str, to: &str) {
        for address in self.replicas.lock().unwrap().iter_mut().filter(|address| *address == from) {
            to.clone_into(address);
        }
    }
}

/// Mail that is sent until it is enough, and what came of it.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    accepted: watch::Sender<usize>,
}

impl Load {
    /// Every call is answered, or the test fails.
    async fn calls(self: Arc<Self>, client: Client, reseller: String) -> Vec<v1::Message> {
        let mut accepted = Vec::new();
        while !self.enough.load(Ordering::Relaxed) {
            let request = mail(&reseller).waiting_for_sent().request;
            let answer =
                client.send_mail(request).await.unwrap_or_else(|error| panic!("a call failed: {error:?}"));
            accepted.push(answer.message.unwrap());
            self.accepted.send_modify(|accepted| *accepted += 1);
        }
        accepted
    }

    async fn goes_on(&self) {
        let mut accepted = self.accepted.subscribe();
        let enough = *accepted.borrow() + PROGRESS;
        in_time("the callers go on", accepted.wait_for(|accepted| *accepted >= enough)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_call_and_loses_and_doubles_no_mail() {
    let database = Postgres::shared().database();
    let mut fleet = fleet(&database).await;
    let resellers: Vec<String> = (0..3).map(|number| format!("shop-{number}")).collect();
    for reseller in &resellers {
        let settings = v1::Settings { reseller: reseller.clone(), ..acme_settings() };
        fleet.one.admin().puts(settings).await;
    }
    let addresses = [&fleet.one, &fleet.other].map(|replica| replica.grpc().to_owned());
    let balancer = Balancer::before(addresses.to_vec()).await;
    let client = || Client::new(&balancer.url, fleet.one.admin().key()).unwrap();
    let watching = client();
    let request = v1::WatchMessagesRequest { states: vec![MessageState::Sent.into()], ..Default::default() };
    let (tell, mut told) = watch::channel(BTreeSet::new());
    let first = client().list_settings(v1::ListSettingsRequest::default()).await.unwrap();
    assert_eq!(first.settings.len(), 4, "the balancer reaches the fleet");
    let watch = tokio::spawn(async move {
        let mut events = pin!(watching.watch(request));
        while let Some(event) = events.next().await {
            let message = event.expect("the watch goes on").message.unwrap();
            tell.send_if_modified(|told| told.insert(message.message_id));
        }
    });
    let load = Arc::new(Load::default());
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            tokio::spawn(Arc::clone(&load).calls(client(), resellers[number % resellers.len()].clone()))
        })
        .collect();
    load.goes_on().await;

    for replica in [&mut fleet.one, &mut fleet.other] {
        let from = replica.grpc().to_owned();
        assert!(replica.is_asked_to_end().await.success(), "{}", replica.stderr());
        load.goes_on().await;
        replica.returns().await;
        balancer.moved(&from, replica.grpc());
        load.goes_on().await;
    }

    load.enough.store(true, Ordering::Relaxed);
    let mut accepted = Vec::new();
    for caller in callers {
        accepted.extend(caller.await.unwrap());
    }
    let ids: BTreeSet<String> = accepted.iter().map(|message| message.message_id.clone()).collect();
    assert_eq!(ids.len(), accepted.len(), "each call made a mail of its own");
    for message in &accepted {
        let sent = fleet.other.admin().reaches(message, MessageState::Sent).await;
        let copies = fleet.microsoft.copies(&sent.internet_message_id).await;
        assert_eq!((copies, doubts(&sent)), (1, 0), "{sent:#?}");
    }
    in_time("the watch has told of every mail", told.wait_for(|told| told.is_superset(&ids))).await.unwrap();
    watch.abort();
    println!("{} mails by {CALLERS} callers over two restarts", accepted.len());
}
