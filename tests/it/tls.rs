//! TLS on our own listeners: with a certificate nothing is said in plaintext, and it is replaced without dropping a call.

use postrider_proto::v1::WatchMessagesRequest;
use postrider_testkit::{Authority, Client, Way, in_time, mail, run};

use crate::support::{given, grpcurl};

const PROMPT: std::time::Duration = std::time::Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "a browser is not the product's own client")]
fn trusting(authority: &Authority) -> reqwest::Client {
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap()
}

#[tokio::test]
async fn with_a_certificate_the_api_the_pages_and_the_command_line_speak_tls_alone() {
    let (world, authority) = (given(), Authority::named("ours"));
    let ca_file = world.file("ca.pem", authority.pem()).display().to_string();
    let service = world.service().over_tls(&authority).starts().await;
    let mail = mail("acme").waiting_for_sent();
    assert_eq!(service.admin().sends(mail).await.state().as_str_name(), "MESSAGE_STATE_SENT");

    let plain = Client::by(&Way::plain(service.grpc()), service.admin().key());
    plain.health("").await.expect_err("plaintext is not answered");
    let other = Way::over_tls(service.grpc(), Authority::named("another").pem());
    Client::by(&other, service.admin().key()).health("").await.expect_err("another authority is not trusted");

    let listed = service.cli(&["--ca-file", &ca_file, "keys", "list"]).await;
    assert_eq!(listed.code, 0, "{listed:#?}");
    let mut by_hand = tokio::process::Command::new(grpcurl());
    let port = service.grpc().rsplit(':').next().unwrap();
    by_hand.args(["-cacert", &ca_file, &format!("localhost:{port}"), "grpc.health.v1.Health/Check"]);
    let by_hand = run(by_hand, "").await;
    assert!(by_hand.stdout.contains("SERVING"), "{by_hand:#?}");

    let page = trusting(&authority).get(format!("https://{}/healthz", service.http())).send().await.unwrap();
    assert_eq!(page.text().await.unwrap(), "alive\n");
    let plain = reqwest::get(format!("http://{}/healthz", service.http())).await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn with_a_certificate_any_address_may_be_listened_on_and_nothing_is_said_of_plaintext() {
    let authority = Authority::named("ours");
    let service = given().service().over_tls(&authority).with("listen.grpc", "0.0.0.0:0").starts().await;
    assert_eq!(service.admin().health("").await.unwrap(), "SERVING");
    assert!(!service.stderr().contains("plaintext"), "{}", service.stderr());
    let exposed = given().service().with("listen.grpc", "0.0.0.0:0").with("listen.allow_plaintext", "true");
    let exposed = exposed.starts().await;
    assert!(exposed.stderr().contains("listening in plaintext beyond loopback"), "{}", exposed.stderr());
}

#[tokio::test]
async fn a_certificate_is_replaced_under_way_without_dropping_a_call() {
    let (world, before, after) = (given(), Authority::named("before"), Authority::named("after"));
    let service = world.service().over_tls(&before).starts().await;
    let request = WatchMessagesRequest { reseller: "acme".to_owned(), ..WatchMessagesRequest::default() };
    let mut watched = service.admin().mail().watch_messages(request).await.unwrap().into_inner();
    assert!(watched.message().await.unwrap().is_some(), "the first heartbeat");

    world.holds(&after.issues(&["localhost"]));
    let new = Way::over_tls(service.grpc(), after.pem());
    in_time("new connections see the new certificate", async {
        let mut ticks = tokio::time::interval(PROMPT);
        while Client::by(&new, service.admin().key()).health("").await.is_err() {
            ticks.tick().await;
            service.admin().sends(mail("acme")).await;
        }
    })
    .await;
    service.admin().on_another_connection().health("").await.expect_err("the old one is no longer shown");
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    in_time("what was open goes on", async {
        while watched
            .message()
            .await
            .unwrap()
            .unwrap()
            .message
            .is_none_or(|seen| seen.message_id != sent.message_id)
        {}
    })
    .await;
}

#[tokio::test]
async fn what_cannot_serve_is_refused_at_the_start_by_its_key() {
    let (world, authority) = (given(), Authority::named("ours"));
    let built = world.service().over_tls(&authority);
    world.file("tls.key", &authority.issues(&["localhost"]).key);
    let mixed = built.ends().await;
    assert_eq!(mixed.code, 2, "{mixed:#?}");
    assert!(
        mixed.stderr.contains("tls.certificate_file and tls.key_file do not serve together"),
        "{mixed:#?}"
    );
    let alone = world.service().with("tls.certificate_file", "tls.pem").ends().await;
    assert_eq!(alone.code, 2, "{alone:#?}");
    assert!(alone.stderr.contains("`tls.key_file`"), "{alone:#?}");
}
