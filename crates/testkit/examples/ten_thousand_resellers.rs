//! Measures what 10,000 resellers cost: memory idle and with a token each, and how token requests spread.
//!
//! `cargo build --release && cargo run -p postrider-testkit --example ten_thousand_resellers -- target/release/postrider`

#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::time::{Duration, Instant};

use postrider_proto::v1::Settings;
use postrider_sandbox::seed;
use postrider_testkit::{Client, Proxy, Service, World, acme_settings, mail};
use serde_json::json;

const RESELLERS: usize = 10_000;
const CALLERS: usize = 64;
/// Renewed between 195 and 255 s of their life.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() {
    let program = std::env::args().nth(1).unwrap_or_else(|| "target/release/postrider".to_owned());
    let world = World::new(std::path::absolute(program).unwrap());
    let microsoft = world.microsoft().await;
    let mailboxes: Vec<_> = (0..RESELLERS).map(|n| json!({"address": mailbox(n)})).collect();
    let app = json!({
        "client_id": seed::CLIENT_ID, "secrets": [{"id": seed::SECRET_ID, "value": seed::SECRET}],
        "token_lifetime_seconds": TOKEN_LIFE.as_secs(),
    });
    microsoft.knows_directory(seed::TENANT_ID, &json!({"apps": [app], "mailboxes": mailboxes})).await;
    let proxy = Proxy::before(microsoft.origin()).await;
    let service = world.service().sending_to(&microsoft).with("microsoft.login_url", proxy.address());
    let mut service = service.with("pace.messages_per_minute", "0").with("log.level", "warn").starts().await;
    println!("empty: {} MB", rss(&mut service));

    for_all(&service, |client, n| async move {
        client.puts(Settings { reseller: name(n), sender_mailbox: mailbox(n), ..acme_settings() }).await;
    })
    .await;
    service.is_asked_to_end().await;
    service.returns().await;
    println!("{RESELLERS} idle resellers, after a restart: {} MB", rss(&mut service));

    let begun = Instant::now();
    let sends = |client: Client, n: usize| async move {
        drop(client.sends(mail(&name(n))).await);
    };
    for_all(&service, sends).await;
    while proxy.seen("/token").len() < RESELLERS {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("{RESELLERS} cold resellers had a token after {:.1} s", begun.elapsed().as_secs_f64());
    println!("with a token each: {} MB", rss(&mut service));

    let (mut last, mut per_ten_seconds) = (proxy.seen("/token").len(), Vec::new());
    while begun.elapsed() < TOKEN_LIFE {
        let ten = Instant::now();
        for_all(&service, sends).await;
        tokio::time::sleep(Duration::from_secs(10).saturating_sub(ten.elapsed())).await;
        let seen = proxy.seen("/token").len();
        per_ten_seconds.push((begun.elapsed().as_secs(), seen - last));
        last = seen;
    }
    println!("token requests after the first ones, by the second they were counted at: {per_ten_seconds:?}");
    println!("at the end: {} MB", rss(&mut service));
}

fn name(n: usize) -> String {
    format!("reseller-{n}")
}

fn mailbox(n: usize) -> String {
    format!("sales-{n}@acme.example")
}

async fn for_all<F>(service: &Service, call: impl Fn(Client, usize) -> F + Copy + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let client = service.admin().on_another_connection();
            tokio::spawn(async move {
                for n in (caller..RESELLERS).step_by(CALLERS) {
                    call(client.clone(), n).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

/// Megabytes resident.
fn rss(service: &mut Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.program().id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
