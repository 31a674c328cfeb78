//! On PostgreSQL any number of replicas are one service: a mailbox's limits, a request's id and a watch hold over all.

use postrider_proto::v1::{MessageState, PauseSendingRequest, ResumeSendingRequest, WatchMessagesRequest};
use postrider_sandbox::seed;
use postrider_testkit::postgres::Database;
use postrider_testkit::{Microsoft, Mistake, Postgres, Service, World, acme_settings, in_time, mail, reason};
use serde_json::json;

use crate::support::{doubts, given, mortal, together};

/// A database, a Microsoft, and two replicas that share both; `acme` may send.
pub(crate) struct Fleet {
    pub microsoft: Microsoft,
    pub one: Service,
    pub other: Service,
}

pub(crate) async fn fleet(database: &Database<'_>) -> Fleet {
    let world = given();
    let microsoft = world.microsoft().await;
    let one = replica(&world, &microsoft, database, "one").await.with_acme().await;
    let folder = world.path().join("other");
    std::fs::create_dir(&folder).unwrap();
    for key in ["postrider.key", "admin.key"] {
        std::fs::copy(one.data_dir().join(key), folder.join(key)).unwrap();
    }
    let other = replica(&world, &microsoft, database, "other").await;
    Fleet { microsoft, one, other }
}

async fn replica(world: &World, microsoft: &Microsoft, database: &Database<'_>, name: &str) -> Service {
    let built = mortal(world, microsoft).with("storage.url", &database.url());
    built.in_data_dir(world.path().join(name)).starts().await
}

impl Fleet {
    /// By turns.
    fn replica(&self, number: usize) -> &Service {
        if number.is_multiple_of(2) { &self.one } else { &self.other }
    }
}

#[tokio::test]
async fn a_mailbox_has_no_more_calls_at_once_over_all_replicas_than_it_may() {
    let database = Postgres::shared().database();
    let fleet = fleet(&database).await;
    fleet.microsoft.plays("slow", seed::MAILBOX, json!({"milliseconds": 100})).await;

    let sent = together((0..30).map(|number| {
        let client = fleet.replica(number).admin().clone();
        async move { client.sends(mail("acme").about(&format!("mail {number}")).waiting_for_sent()).await }
    }))
    .await;

    assert!(sent.iter().all(|message| message.state() == MessageState::Sent && doubts(message) == 0));
    assert_eq!(fleet.microsoft.breaches().await, []);
    assert_eq!(fleet.microsoft.received().await.len(), 30, "each once");
}

#[tokio::test]
async fn the_lanes_of_a_replica_that_was_killed_go_on_at_the_other() {
    let database = Postgres::shared().database();
    let mut fleet = fleet(&database).await;
    for number in 0..5 {
        let settings =
            postrider_proto::v1::Settings { reseller: format!("shop-{number}"), ..acme_settings() };
        fleet.one.admin().puts(settings).await;
    }
    fleet.microsoft.plays("slow", seed::MAILBOX, json!({"milliseconds": 300})).await;
    let mut accepted = Vec::new();
    for number in 0..25 {
        accepted.push(fleet.one.admin().sends(mail(&format!("shop-{}", number % 5))).await);
    }
    in_time("both replicas send", async {
        while fleet.microsoft.received().await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    fleet.one.is_killed().await;

    fleet.microsoft.forgets_scenarios().await;
    for message in &accepted {
        let sent = fleet.other.admin().reaches(message, MessageState::Sent).await;
        let copies = fleet.microsoft.copies(&sent.internet_message_id).await;
        assert!((1..=1 + doubts(&sent)).contains(&copies), "{copies} copies of {sent:#?}");
    }
}

#[tokio::test]
async fn twins_at_two_replicas_are_one_message_and_one_mail() {
    let database = Postgres::shared().database();
    let fleet = fleet(&database).await;
    for round in 0..5 {
        let id = format!("twin-{round}");
        let answers = together((0..8).map(|number| {
            let client = fleet.replica(number).admin().on_another_connection();
            let twin = mail("acme").about(&id).request_id(&id);
            async move { client.tries(twin).await.unwrap() }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        let ids: std::collections::BTreeSet<_> =
            answers.into_iter().map(|answer| answer.message.unwrap().message_id).collect();
        assert_eq!(ids.len(), 1);
        let other = mail("acme").about("other").request_id(&id);
        let refused = fleet.other.admin().tries(other).await.unwrap_err();
        assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    }
    let stored = fleet.one.admin().messages("acme").await;
    assert_eq!(stored.len(), 5);
    for message in &stored {
        fleet.other.admin().reaches(message, MessageState::Sent).await;
    }
    assert_eq!(fleet.microsoft.received().await.len(), 5);
}

/// What is told at one replica was done at either, and a cursor of one goes on at the other.
#[tokio::test]
async fn a_watch_at_one_replica_tells_what_all_do() {
    let database = Postgres::shared().database();
    let mut fleet = fleet(&database).await;
    let sent_states = || WatchMessagesRequest {
        states: vec![MessageState::Sent.into()],
        ..WatchMessagesRequest::default()
    };
    let mut all = fleet.other.admin().watches_for(sent_states()).await;
    let mut of_acme = fleet.other.admin().watches("acme").await;
    let first = fleet.one.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(all.event().await.message_id, first.message_id);
    of_acme.states_until(MessageState::Sent).await;
    let mut expected = Vec::new();
    for number in 0..10 {
        expected.push(fleet.replica(number).admin().sends(mail("acme")).await.message_id);
    }

    fleet.other.is_killed().await;

    let request = WatchMessagesRequest { cursor: all.cursor, ..sent_states() };
    let mut all = fleet.one.admin().watches_for(request).await;
    let mut told: Vec<_> = all.events(10).await.into_iter().map(|event| event.message_id).collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected, "each once");
}

#[tokio::test]
async fn what_an_operator_does_at_one_replica_holds_at_all() {
    let database = Postgres::shared().database();
    let fleet = fleet(&database).await;
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: "an audit".to_owned() };
    fleet.one.admin().settings().pause_sending(pause).await.unwrap();
    let held = fleet.other.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held);
    let resume = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    fleet.other.admin().settings().resume_sending(resume).await.unwrap();
    fleet.one.admin().reaches(&held, MessageState::Sent).await;
    let (key, reader) = fleet.one.admin().with_key(&[postrider_proto::v1::Scope::Send], &["acme"]).await;
    let elsewhere = fleet.other.client(reader.key());
    elsewhere.sends(mail("acme")).await;
    let revoke = postrider_proto::v1::RevokeKeyRequest { key_id: key.key_id };
    fleet.one.admin().access().revoke_key(revoke).await.unwrap();
    in_time("the key is refused everywhere", async {
        while elsewhere.tries(mail("acme")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_mend_at_one_replica_wakes_a_lane_that_the_other_held() {
    let database = Postgres::shared().database();
    let fleet = fleet(&database).await;
    fleet.one.admin().puts(Mistake::MailboxMissing.settings()).await;
    let held = fleet.one.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held);
    fleet.other.admin().puts(acme_settings()).await;
    fleet.one.admin().reaches(&held, MessageState::Sent).await;
}
