//! What probes and strangers may ask without a key: health, readiness, and on loopback what the API is.

use postrider_testkit::{Finished, Service, run};
use tokio::process::Command;
use tonic::Code;

use crate::support::{given, grpcurl, ready};

const SERVICES: [&str; 3] =
    ["postrider.v1.MailService", "postrider.v1.SettingsService", "postrider.v1.AccessService"];

#[tokio::test]
async fn every_service_tells_that_it_serves_without_a_key() {
    let service = ready().await;
    let stranger = service.admin().without_key();
    for name in SERVICES.into_iter().chain([""]) {
        assert_eq!(stranger.health(name).await.unwrap(), "SERVING", "{name:?}");
    }
    assert_eq!(stranger.health("postrider.v1.FaxService").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_pages_for_probes_say_alive_and_ready() {
    let service = ready().await;
    assert_eq!(service.page("/healthz").await.0, 200);
    assert_eq!(service.page("/readyz").await.0, 200);
    assert_eq!(service.page("/nothing-here").await.0, 404);
}

#[tokio::test]
async fn one_resellers_broken_settings_are_no_illness_of_the_service() {
    let service = ready().await;
    service.admin().puts(postrider_testkit::Mistake::WrongClient.settings()).await;
    service.admin().sends(postrider_testkit::mail("acme").waiting_for_sent()).await;
    assert_eq!(service.page("/readyz").await.0, 200);
    assert_eq!(service.admin().health("").await.unwrap(), "SERVING");
}

#[tokio::test]
async fn reflection_tells_the_services_their_comments_and_the_types_of_error_details() {
    let service = ready().await;
    let ask = async |question: &[&str]| asks(&service, &[], question).await.answer();
    let listed = ask(&["list"]).await;
    for name in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(listed.lines().any(|line| line == name), "{name} in {listed}");
    }
    let described = ask(&["describe", "postrider.v1.MailService.SendMail"]).await;
    assert!(described.contains("SendMailRequest") && described.contains("//"), "{described}");
    for detail in
        ["ErrorInfo", "BadRequest", "RetryInfo", "PreconditionFailure", "QuotaFailure", "RequestInfo"]
    {
        let described = ask(&["describe", &format!("google.rpc.{detail}")]).await;
        assert!(described.contains(detail), "{described}");
    }
}

async fn asks(service: &Service, who: &[&str], question: &[&str]) -> Finished {
    let port = service.grpc().rsplit(':').next().unwrap();
    let mut command = Command::new(grpcurl());
    command.arg("-plaintext").args(who).arg(format!("127.0.0.1:{port}")).args(question);
    run(command, "").await
}

#[tokio::test]
async fn beyond_loopback_reflection_needs_a_key_and_where_it_is_off_nobody_is_told_anything() {
    let exposed = given().service().with("listen.grpc", "0.0.0.0:0").with("listen.allow_plaintext", "true");
    let exposed = exposed.starts().await;
    let key = format!("authorization: Bearer {}", exposed.admin().key());
    let stranger = asks(&exposed, &[], &["list"]).await;
    assert!(stranger.code != 0 && stranger.stderr.contains("Unauthenticated"), "{stranger:#?}");
    assert!(asks(&exposed, &["-H", &key], &["list"]).await.answer().contains(SERVICES[0]));

    let silent = given().service().with("listen.reflection", "false").starts().await;
    let key = format!("authorization: Bearer {}", silent.admin().key());
    let stranger = asks(&silent, &[], &["list"]).await;
    assert!(stranger.code != 0 && stranger.stderr.contains("Unauthenticated"), "{stranger:#?}");
    let admin = asks(&silent, &["-H", &key], &["list"]).await;
    assert!(admin.code != 0 && admin.stderr.contains("does not support the reflection API"), "{admin:#?}");
    assert_eq!(silent.admin().health("").await.unwrap(), "SERVING");
}
