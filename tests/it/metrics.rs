//! The metrics tell what happened and what there is, under the names of the contract, and nobody's secrets or addresses.

use std::time::Duration;

use postrider_proto::v1::{
    CancelMessageRequest, ListSettingsRequest, MessageState, PauseSendingRequest, Scope,
};
use postrider_sandbox::seed;
use postrider_testkit::{Authority, Microsoft, Mistake, Service, acme_settings, from_now, mail, seen};
use serde_json::json;

use crate::support::{given, ready};

/// Every metric that the contract names.
const CONTRACT: [&str; 10] = [
    "postrider_messages_accepted_total",
    "postrider_messages_finished_total",
    "postrider_attempts_total",
    "postrider_accept_seconds_bucket",
    "postrider_queue_seconds_bucket",
    "postrider_microsoft_request_seconds_bucket",
    "postrider_messages",
    "postrider_lanes",
    "postrider_token_fetches_total",
    "postrider_credential_expire_timestamp_seconds",
];

/// The page, line by line.
#[derive(Debug)]
struct Scraped(String);

impl Scraped {
    async fn of(service: &Service) -> Self {
        let (status, page) = service.page("/metrics").await;
        assert_eq!(status, 200, "{page}");
        assert!(page.ends_with("# EOF\n"), "{page}");
        Self(page)
    }

    /// The value of a series, by its name and its labels as they stand in the page.
    fn value(&self, series: &str) -> Option<f64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }

    fn has(&self, metric: &str) -> bool {
        let is_its = |rest: &str| rest.starts_with(['{', ' ']);
        self.0.lines().filter_map(|line| line.strip_prefix(metric)).any(is_its)
    }
}

/// Scrapes until a series has a value: what a mail came to is counted once it is on disk.
async fn comes_to_tell(service: &Service, series: &str, value: f64) -> Scraped {
    let what = format!("{series} is {value}");
    seen(&what, || Scraped::of(service), |scraped| scraped.value(series) == Some(value)).await
}

#[tokio::test]
async fn before_anything_happened_what_can_go_wrong_is_told_as_zero() {
    let service = ready().await;
    let scraped = Scraped::of(&service).await;
    for series in [
        "postrider_messages_accepted_total",
        "postrider_messages_finished_total{state=\"outcome_unknown\"}",
        "postrider_attempts_total{outcome=\"in_doubt\",finding=\"OUTCOME_UNKNOWN\"}",
        "postrider_attempts_total{outcome=\"in_doubt\",finding=\"ACCEPTED_NOT_202\"}",
        "postrider_messages{state=\"held\"}",
        "postrider_lanes{state=\"held\"}",
        "postrider_token_fetches_total{result=\"refused\"}",
        "postrider_readiness{state=\"store_away\"}",
    ] {
        assert_eq!(scraped.value(series), Some(0.0), "{series} in {}", scraped.0);
    }
    assert_eq!(scraped.value("postrider_readiness{state=\"ready\"}"), Some(1.0));
}

#[tokio::test]
async fn a_mail_that_is_sent_is_counted_at_each_step_of_its_way() {
    let service = ready().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let scraped = comes_to_tell(&service, "postrider_messages_finished_total{state=\"sent\"}", 1.0).await;
    for (series, value) in [
        ("postrider_messages_accepted_total", 1.0),
        ("postrider_attempts_total{outcome=\"sent\",finding=\"\"}", 1.0),
        ("postrider_token_fetches_total{result=\"ok\"}", 1.0),
        ("postrider_accept_seconds_count", 1.0),
        ("postrider_queue_seconds_count", 1.0),
        ("postrider_microsoft_request_seconds_count{call=\"token\",status=\"200\"}", 1.0),
        ("postrider_microsoft_request_seconds_count{call=\"send_mail\",status=\"202\"}", 1.0),
        ("postrider_rpc_seconds_count{rpc=\"SendMail\",reason=\"\"}", 1.0),
        ("postrider_messages{state=\"accepted\"}", 0.0),
    ] {
        assert_eq!(scraped.value(series), Some(value), "{series} in {}", scraped.0);
    }
}

#[tokio::test]
async fn a_replay_is_not_accepted_a_second_time() {
    let service = ready().await;
    for _ in 0..3 {
        service.admin().sends(mail("acme").request_id("order-1").waiting_for_sent()).await;
    }
    let scraped = Scraped::of(&service).await;
    assert_eq!(scraped.value("postrider_messages_accepted_total"), Some(1.0));
    assert_eq!(scraped.value("postrider_accept_seconds_count"), Some(1.0));
}

#[tokio::test]
async fn a_deferred_mail_is_told_with_its_finding_and_in_the_backlog() {
    let service = ready().await;
    service.microsoft().plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 600})).await;
    let accepted = service.admin().sends(mail("acme")).await;
    service.admin().reaches(&accepted, MessageState::Deferred).await;
    let scraped = comes_to_tell(&service, "postrider_lanes{state=\"throttled\"}", 1.0).await;
    for (series, value) in [
        ("postrider_attempts_total{outcome=\"deferred\",finding=\"THROTTLED\"}", 1.0),
        ("postrider_microsoft_request_seconds_count{call=\"send_mail\",status=\"429\"}", 1.0),
        ("postrider_messages{state=\"deferred\"}", 1.0),
        ("postrider_messages_finished_total{state=\"sent\"}", 0.0),
    ] {
        assert_eq!(scraped.value(series), Some(value), "{series} in {}", scraped.0);
    }
}

#[tokio::test]
async fn a_held_lane_and_what_waits_in_it_are_told() {
    let service = ready().await;
    service.admin().puts(Mistake::SecretsId.settings()).await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let scraped = comes_to_tell(&service, "postrider_lanes{state=\"held\"}", 1.0).await;
    for (series, value) in [
        ("postrider_messages{state=\"held\"}", 1.0),
        ("postrider_token_fetches_total{result=\"refused\"}", 1.0),
        ("postrider_attempts_total{outcome=\"deferred\",finding=\"SECRET_IS_ID\"}", 1.0),
        ("postrider_oldest_due_seconds", 0.0),
    ] {
        assert_eq!(scraped.value(series), Some(value), "{series} in {}", scraped.0);
    }
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), ..PauseSendingRequest::default() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    comes_to_tell(&service, "postrider_lanes{state=\"paused\"}", 1.0).await;
}

#[tokio::test]
async fn a_mail_is_cancelled_once_however_often_that_is_asked_for() {
    let service = ready().await;
    let later = service.admin().sends(mail("acme").at(from_now(Duration::from_hours(1)))).await;
    comes_to_tell(&service, "postrider_messages{state=\"scheduled\"}", 1.0).await;
    for _ in 0..2 {
        let cancel =
            CancelMessageRequest { reseller: "acme".to_owned(), message_id: later.message_id.clone() };
        service.admin().mail().cancel_message(cancel).await.unwrap();
    }
    let series = "postrider_messages_finished_total{state=\"cancelled\"}";
    assert_eq!(Scraped::of(&service).await.value(series), Some(1.0));
}

#[tokio::test]
async fn a_refused_call_is_told_by_its_reason() {
    let service = ready().await;
    service.admin().tries(mail("nobody")).await.unwrap_err();
    let series = "postrider_rpc_seconds_count{rpc=\"SendMail\",reason=\"SETTINGS_MISSING\"}";
    assert_eq!(Scraped::of(&service).await.value(series), Some(1.0));
}

#[tokio::test]
async fn a_call_that_is_refused_before_its_handler_is_told_by_whichever_door_it_came() {
    let service = ready().await;
    let post = |path: &str, key: &str, kind: &str, body: Vec<u8>| {
        let request = reqwest::Client::default().post(format!("http://{}{path}", service.http()));
        request.bearer_auth(key).header("content-type", kind).body(body).send()
    };
    let (admin, stranger) = (service.admin().key(), "pr_nobody");
    let (_, reader) = service.admin().with_key(&[Scope::Read], &["globex"]).await;
    service.client(stranger).settings().list_settings(ListSettingsRequest::default()).await.unwrap_err();
    reader.tries(mail("globex")).await.unwrap_err();
    let (json, web) = ("application/json", "application/grpc-web+proto");
    let (messages, get) = ("/v1/resellers/acme/messages", "/postrider.v1.MailService/GetMessage");
    post(messages, stranger, json, Vec::new()).await.unwrap();
    post(messages, admin, json, b"no JSON".to_vec()).await.unwrap();
    post("/v1/resellers/acme/settings:test", reader.key(), json, Vec::new()).await.unwrap();
    post(get, stranger, web, vec![0; 5]).await.unwrap();
    // A field that ends too early.
    post(get, admin, web, vec![0, 0, 0, 0, 2, 10, 9]).await.unwrap();
    post("/postrider.v1.MailService/Unheard", admin, web, vec![0; 5]).await.unwrap();
    let scraped = Scraped::of(&service).await;
    for (rpc, reason) in [
        ("ListSettings", "UNAUTHENTICATED"),
        ("SendMail", "ACCESS_DENIED"),
        ("SendMail", "UNAUTHENTICATED"),
        ("SendMail", "UNDECODABLE"),
        ("TestSettings", "ACCESS_DENIED"),
        ("GetMessage", "UNAUTHENTICATED"),
        ("GetMessage", "UNDECODABLE"),
        ("unknown", "UNIMPLEMENTED"),
    ] {
        let series = format!("postrider_rpc_seconds_count{{rpc=\"{rpc}\",reason=\"{reason}\"}}");
        assert_eq!(scraped.value(&series), Some(1.0), "{series} in {}", scraped.0);
    }
}

#[tokio::test]
async fn every_name_of_the_contract_is_there_and_no_secret_address_or_reseller() {
    let service = ready().await;
    let mut settings = acme_settings();
    if let Some(postrider_proto::v1::settings::Credential::ClientSecret(secret)) = &mut settings.credential {
        secret.expire_time = Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 });
    }
    service.admin().puts(settings).await;
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    service.admin().tests("acme", None).await;
    let scraped = comes_to_tell(&service, "postrider_messages_finished_total{state=\"sent\"}", 2.0).await;
    for metric in CONTRACT {
        assert!(scraped.has(metric), "{metric} in {}", scraped.0);
    }
    assert_eq!(scraped.value("postrider_credential_expire_timestamp_seconds"), Some(4_000_000_000.0));
    assert_eq!(
        scraped.value("postrider_microsoft_request_seconds_count{call=\"discovery\",status=\"200\"}"),
        Some(1.0)
    );
    let key = service.admin().key();
    for private in
        [seed::SECRET, seed::CLIENT_ID, seed::TENANT_ID, seed::MAILBOX, "acme", "@", key, &sent.message_id]
    {
        assert!(!scraped.0.contains(private), "{private} stands in the metrics");
    }
}

#[tokio::test]
async fn each_reseller_with_settings_is_told_as_zero_before_its_first_mail() {
    let service = given().service().with("telemetry.reseller_labels", "true").starts().await;
    let scraped = Scraped::of(&service).await;
    for series in [
        "postrider_messages_accepted_total{reseller=\"acme\"}",
        "postrider_messages_finished_total{reseller=\"acme\",state=\"outcome_unknown\"}",
        "postrider_attempts_total{reseller=\"acme\",outcome=\"in_doubt\",finding=\"OUTCOME_UNKNOWN\"}",
    ] {
        assert_eq!(scraped.value(series), Some(0.0), "{series} in {}", scraped.0);
    }
}

#[tokio::test]
async fn resellers_are_told_apart_where_the_operator_asks_for_it() {
    let service = given().service().with("telemetry.reseller_labels", "true").starts().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let series = "postrider_messages_finished_total{reseller=\"acme\",state=\"sent\"}";
    let scraped = comes_to_tell(&service, series, 1.0).await;
    for (series, value) in [
        ("postrider_messages_accepted_total{reseller=\"acme\"}", 1.0),
        ("postrider_messages_finished_total{reseller=\"acme\",state=\"outcome_unknown\"}", 0.0),
        ("postrider_attempts_total{reseller=\"acme\",outcome=\"in_doubt\",finding=\"OUTCOME_UNKNOWN\"}", 0.0),
    ] {
        assert_eq!(scraped.value(series), Some(value), "{series} in {}", scraped.0);
    }
}

/// Where their own listener is.
fn metrics_of(service: &Service) -> String {
    let endpoints = std::fs::read_to_string(service.data_dir().join("endpoints.json")).unwrap();
    let endpoints: serde_json::Value = serde_json::from_str(&endpoints).unwrap();
    endpoints["metrics"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn metrics_and_probes_have_a_listener_of_their_own_where_the_operator_gives_one() {
    let service = given().service().with("listen.metrics", "127.0.0.1:0").starts().await;
    let metrics = metrics_of(&service);
    assert!(service.stdout().contains(&format!(" metrics={metrics}")), "{}", service.stdout());
    for page in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(Microsoft::at(&metrics).page(page).await.0, 200, "{page}");
        assert_eq!(service.page(page).await.0, 404, "{page}");
    }
}

#[tokio::test]
async fn the_end_of_our_own_certificate_is_told_and_each_listeners_connections() {
    let service = given().service().over_tls(&Authority::named("ours")).with("listen.metrics", "127.0.0.1:0");
    let service = service.starts().await;
    let _open = service.admin().health("").await.unwrap();
    let scraped = Scraped(Microsoft::at(&metrics_of(&service)).page("/metrics").await.1);
    // What rcgen gives a certificate by default: until the year 4096.
    let end = scraped.value("postrider_tls_certificate_expire_timestamp_seconds");
    assert_eq!(end, Some(67_090_118_400.0), "{}", scraped.0);
    for (listener, open) in [("grpc", 1.0), ("http", 0.0), ("metrics", 1.0)] {
        let series = format!("postrider_connections{{listener=\"{listener}\"}}");
        assert_eq!(scraped.value(&series), Some(open), "{series} in {}", scraped.0);
        let cut =
            format!("postrider_connections_cut_total{{listener=\"{listener}\",reason=\"handshake_failed\"}}");
        assert_eq!(scraped.value(&cut), Some(0.0), "{cut} in {}", scraped.0);
    }
}

/// Names of metrics in a text, as Prometheus's expressions spell them.
fn named_in(text: &str) -> std::collections::BTreeSet<String> {
    let of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !of_name(c)).filter(|word| word.starts_with("postrider_"));
    words
        .map(|word| word.strip_suffix("_bucket").or(word.strip_suffix("_count")).unwrap_or(word).to_owned())
        .collect()
}

#[tokio::test]
async fn the_document_the_alerts_and_the_dashboard_name_what_there_is() {
    let service = ready().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let scraped = comes_to_tell(&service, "postrider_messages_finished_total{state=\"sent\"}", 1.0).await;
    let told = scraped.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let name = |told: &str| match told.split_once(' ').unwrap() {
        (name, "counter") => format!("{name}_total"),
        (name, _) => name.to_owned(),
    };
    let mut served: std::collections::BTreeSet<_> = told.map(name).collect();
    // Of credentials that end, of which the seed has none, and of TLS.
    for absent in [
        "postrider_credential_expire_timestamp_seconds",
        "postrider_tls_certificate_expire_timestamp_seconds",
    ] {
        assert!(served.insert(absent.to_owned()), "{absent}");
    }
    let read =
        |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(named_in(&read("docs/metrics.md")), served);
    for path in ["deploy/grafana/alerts.yaml", "deploy/grafana/dashboard.json"] {
        let named = named_in(&read(path));
        assert!(named.len() > 5 && named.is_subset(&served), "{path}: {named:?}");
    }
    let runbook = read("docs/operating.md");
    let alerts = read("deploy/grafana/alerts.yaml");
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(
            runbook.contains(&format!("### {alert}\n")),
            "docs/operating.md tells what to do about {alert}"
        );
    }
}
