//! Access tokens: fetched once for all who wait, spread, and bounded.

use std::time::Duration;

use postrider_proto::v1::{MessageState, Settings};
use postrider_testkit::{Proxy, Weather, acme_settings, in_time, mail};

use crate::support::{given, mortal, together};

#[tokio::test]
async fn a_thousand_concurrent_sends_of_one_cold_reseller_are_one_token_request() {
    let world = given();
    let microsoft = world.microsoft().await;
    let proxy = Proxy::before(microsoft.origin()).await;
    let service = mortal(&world, &microsoft).with("microsoft.login_url", proxy.address()).starts().await;
    service.admin().puts(acme_settings()).await;
    let sends = (0..1_000).map(|_| {
        let client = service.admin().clone();
        async move { client.sends(mail("acme")).await }
    });
    let accepted = together(sends).await;
    let drained = async {
        while microsoft.received().await.len() < accepted.len() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    in_time("all are sent", drained).await;
    assert_eq!(proxy.seen("/oauth2/v2.0/token").len(), 1);
    service.admin().reaches(accepted.last().unwrap(), MessageState::Sent).await;
}

#[tokio::test]
async fn a_broken_reseller_asks_entra_once_a_minute_however_much_it_sends() {
    let world = given();
    let microsoft = world.microsoft().await;
    let proxy = Proxy::before(microsoft.origin()).await;
    let service = mortal(&world, &microsoft).with("microsoft.login_url", proxy.address()).starts().await;
    service.admin().puts(postrider_testkit::Mistake::SecretsId.settings()).await;
    for _ in 0..20 {
        let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
        assert_eq!(held.state(), MessageState::Held);
    }
    assert_eq!(proxy.seen("/oauth2/v2.0/token").len(), 1);
}

#[tokio::test]
async fn while_entra_does_not_answer_few_ask_it_and_all_go_on_when_it_is_back() {
    let world = given();
    let microsoft = world.microsoft().await;
    let proxy = Proxy::before(microsoft.origin()).await;
    proxy.turns(Weather::Answers(503, "down".to_owned()));
    let service = mortal(&world, &microsoft).with("microsoft.login_url", proxy.address()).starts().await;
    let mut waiting = Vec::new();
    for number in 0..30 {
        let reseller = format!("reseller-{number}");
        service.admin().puts(Settings { reseller: reseller.clone(), ..acme_settings() }).await;
        let accepted = service.admin().sends(mail(&reseller)).await;
        waiting.push(service.admin().reaches(&accepted, MessageState::Deferred).await);
    }
    let asked = proxy.seen("/oauth2/v2.0/token").len();
    assert!((3..15).contains(&asked), "30 resellers asked {asked} times");
    let last = waiting.last().unwrap();
    assert_eq!(last.finding.as_ref().unwrap().code, "MICROSOFT_UNAVAILABLE");
    proxy.turns(Weather::Fair);
    for message in &waiting {
        service.admin().reaches(message, MessageState::Sent).await;
    }
}

#[tokio::test]
async fn the_process_leaves_no_core_dump() {
    let mut service = crate::support::ready().await;
    let id = service.program().id();
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
