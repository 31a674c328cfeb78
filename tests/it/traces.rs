//! Traces: a call goes on in its caller's trace, and the attempt, whenever it comes, links back to it.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use postrider_proto::v1::{
    Message, MessageState, PauseSendingRequest, ResumeSendingRequest, TestSettingsRequest,
    WatchSettingsTestRequest,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Service, ServiceBuilder, World, canary, in_time, mail};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::support::{given, mortal};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLERS_SPAN: &str = "b7ad6b7169203331";

/// A collector of OTLP, as far as traces go.
#[derive(Clone, Default)]
struct Collector {
    address: String,
    spans: watch::Sender<Vec<Span>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|of| of.scope_spans);
        self.spans.send_modify(|spans| spans.extend(scopes.flat_map(|scope| scope.spans)));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn listening() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { address, ..Self::default() };
        let server = Server::builder().add_service(TraceServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        collector
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.borrow().clone()
    }

    /// The first span that satisfies, once it came.
    async fn gets(&self, what: &str, satisfies: impl Fn(&Span) -> bool) -> Span {
        let mut spans = self.spans.subscribe();
        let coming = spans.wait_for(|spans| spans.iter().any(&satisfies));
        let spans = in_time(&format!("the collector gets {what}"), coming).await.unwrap();
        spans.iter().find(|span| satisfies(span)).unwrap().clone()
    }

    /// The attempt of a message.
    async fn attempt(&self, message: &Message) -> Span {
        let is_its = |span: &Span| attribute(span, "message_id") == message.message_id;
        self.gets("an attempt", |span| span.name == "attempt" && is_its(span)).await
    }

    async fn child(&self, parent: &Span, name: &str) -> Span {
        self.gets(name, |span| span.name == name && span.parent_span_id == parent.span_id).await
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn hex(id: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(id)
}

fn told(built: ServiceBuilder, collector: &str) -> ServiceBuilder {
    built.with("telemetry.otlp_endpoint", collector).with_environment("OTEL_BSP_SCHEDULE_DELAY", "100")
}

async fn traced(world: &World, collector: &Collector) -> Service {
    told(world.service(), &collector.address).starts().await
}

fn in_trace<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    let traceparent = format!("00-{TRACE_ID}-{CALLERS_SPAN}-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    request
}

/// Sends within the caller's trace.
async fn sends(service: &Service, mail: postrider_testkit::Mail) -> Message {
    let request = in_trace(mail.request);
    service.admin().mail().send_mail(request).await.unwrap().into_inner().message.unwrap()
}

/// The call that an attempt links to, and that it is in the caller's trace.
async fn linked_call(collector: &Collector, attempt: &Span) -> Span {
    let [link] = attempt.links.as_slice() else { panic!("one link: {attempt:#?}") };
    assert_eq!(hex(&link.trace_id), TRACE_ID);
    let call = collector.gets("the call", |span| span.span_id == link.span_id).await;
    assert_eq!(call.name, "postrider.v1.MailService/SendMail");
    assert_eq!((hex(&call.trace_id).as_str(), hex(&call.parent_span_id).as_str()), (TRACE_ID, CALLERS_SPAN));
    call
}

#[tokio::test]
async fn a_call_is_in_its_callers_trace_and_the_attempt_in_one_of_its_own_with_a_link() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;

    let message = sends(&service, mail("acme").waiting_for_sent()).await;

    let attempt = collector.attempt(&message).await;
    assert_eq!((attribute(&attempt, "outcome"), attribute(&attempt, "number")), ("sent".into(), "1".into()));
    assert!(attempt.parent_span_id.is_empty() && hex(&attempt.trace_id) != TRACE_ID, "{attempt:#?}");
    let call = linked_call(&collector, &attempt).await;
    let accept = collector.child(&call, "accept").await;
    assert_eq!(attribute(&accept, "message_id"), message.message_id);
    let token = collector.child(&attempt, "token").await;
    let fetch = collector.child(&token, "microsoft_request").await;
    assert_eq!(attribute(&fetch, "call"), "token");
    let submit = collector.child(&attempt, "submit").await;
    assert_eq!(attribute(&submit, "client_request_id").len(), 36, "{submit:#?}");
    let request = collector.child(&submit, "microsoft_request").await;
    assert_eq!(attribute(&request, "call"), "send_mail");
    assert_eq!(attribute(&request, "http.response.status_code"), "202");
    collector.child(&attempt, "record").await;
}

#[tokio::test]
async fn what_a_test_asks_of_microsoft_is_in_its_callers_trace_also_where_somebody_looks_on() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    let mut settings = service.admin().settings();
    let tested = TestSettingsRequest { reseller: "acme".to_owned(), ..Default::default() };
    settings.test_settings(in_trace(tested)).await.unwrap();
    let watched = WatchSettingsTestRequest { reseller: "acme".to_owned(), ..Default::default() };
    let stream = settings.watch_settings_test(in_trace(watched)).await.unwrap();
    let told: Vec<_> = stream.into_inner().collect().await;
    assert!(told.iter().all(Result::is_ok), "{told:#?}");
    for rpc in ["TestSettings", "WatchSettingsTest"] {
        let is_its = |span: &Span| span.name == format!("postrider.v1.SettingsService/{rpc}");
        let call = collector.gets(rpc, is_its).await;
        assert_eq!(hex(&call.trace_id), TRACE_ID, "{rpc}");
        collector.child(&call, "microsoft_request").await;
    }
    let spans = collector.spans();
    let requests = spans.iter().filter(|span| span.name == "microsoft_request");
    assert!(requests.clone().all(|span| hex(&span.trace_id) == TRACE_ID), "{spans:#?}");
}

#[tokio::test]
async fn of_a_mail_whose_caller_wants_no_trace_nothing_is_told() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    let unsampled = "4bf92f3577b34da6a3ce929d0e0e4736";

    let mut quiet = Request::new(mail("acme").waiting_for_sent().request);
    quiet.metadata_mut().insert("traceparent", format!("00-{unsampled}-{CALLERS_SPAN}-00").parse().unwrap());
    service.admin().mail().send_mail(quiet).await.unwrap();
    let told = sends(&service, mail("acme").waiting_for_sent()).await;

    let attempt = collector.attempt(&told).await;
    collector.child(&attempt, "record").await;
    let spans = collector.spans();
    for name in ["accept", "attempt", "token", "submit", "record"] {
        assert_eq!(spans.iter().filter(|span| span.name == name).count(), 1, "{name}: {spans:#?}");
    }
    assert!(spans.iter().all(|span| hex(&span.trace_id) != unsampled), "{spans:#?}");
}

#[tokio::test]
async fn an_attempt_after_a_restart_still_links_to_the_call() {
    let (world, collector) = (given(), Collector::listening().await);
    let microsoft = world.microsoft().await;
    let built = told(mortal(&world, &microsoft), &collector.address);
    let mut service = built.starts().await.with_acme().await;
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    let held = sends(&service, mail("acme")).await;
    collector.gets("the call", |span| span.name.ends_with("/SendMail")).await;

    service.is_killed_and_returns().await;
    let resume = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    service.admin().settings().resume_sending(resume).await.unwrap();

    service.admin().reaches(&held, MessageState::Sent).await;
    linked_call(&collector, &collector.attempt(&held).await).await;
}

#[tokio::test]
async fn a_refusal_tells_its_reason_and_a_failed_attempt_its_finding() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    service.admin().tries(mail("globex")).await.unwrap_err();
    let refused =
        collector.gets("a refusal", |span| attribute(span, "error.code") == "SETTINGS_MISSING").await;
    assert_eq!(refused.status.unwrap().code, 2, "an error");
    service.admin().puts(Mistake::WrongClient.settings()).await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    let attempt = collector.attempt(&held).await;
    assert_eq!(attribute(&attempt, "finding"), Mistake::WrongClient.code());
}

#[tokio::test]
async fn a_refusal_before_the_handler_is_told_too_but_nothing_of_whom_nobody_let_in() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    let post = |path: &str, key: &str, kind: &str, body: &'static [u8]| {
        let request = reqwest::Client::default().post(format!("http://{}{path}", service.http()));
        let request = request.header("traceparent", format!("00-{TRACE_ID}-{CALLERS_SPAN}-01"));
        request.bearer_auth(key).header("content-type", kind).body(body).send()
    };
    let (json, web) = ("application/json", "application/grpc-web+proto");
    let (messages, get) = ("/v1/resellers/acme/messages", "/postrider.v1.MailService/GetMessage");
    for key in ["pr_nobody", service.admin().key()] {
        post(messages, key, json, b"{").await.unwrap();
        // A field that ends too early.
        post(get, key, web, &[0, 0, 0, 0, 2, 10, 9]).await.unwrap();
    }
    for rpc in ["postrider.v1.MailService/SendMail", "postrider.v1.MailService/GetMessage"] {
        let refused = |span: &Span| span.name == rpc && attribute(span, "error.code") == "UNDECODABLE";
        let span = collector.gets(&format!("the refused {rpc}"), refused).await;
        let (trace, parent) = (hex(&span.trace_id), hex(&span.parent_span_id));
        assert_eq!((trace.as_str(), parent.as_str()), (TRACE_ID, CALLERS_SPAN));
    }
    let calls = collector.spans().into_iter().filter(|span| hex(&span.trace_id) == TRACE_ID);
    assert_eq!(calls.count(), 2, "a stranger writes nothing: {:#?}", collector.spans());
}

#[tokio::test]
async fn json_over_http_goes_on_in_the_trace_too_and_the_metrics_name_it() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    let body = r#"{"email": {"to": [{"address": "ann@customer.example"}], "subject": "s", "text": "t"}}"#;
    let sent = reqwest::Client::default()
        .post(format!("http://{}/v1/resellers/acme/messages", service.http()))
        .bearer_auth(service.admin().key())
        .header("traceparent", format!("00-{TRACE_ID}-{CALLERS_SPAN}-01"))
        .body(body);
    assert_eq!(sent.send().await.unwrap().status(), 200);
    collector
        .gets("the call", |span| hex(&span.trace_id) == TRACE_ID && span.name.ends_with("/SendMail"))
        .await;
    let (_, page) = service.page("/metrics").await;
    let exemplar = format!("# {{trace_id=\"{TRACE_ID}\"}}");
    for histogram in ["postrider_accept_seconds_bucket", "postrider_rpc_seconds_bucket"] {
        let named = page.lines().any(|line| line.starts_with(histogram) && line.contains(&exemplar));
        assert!(named, "{histogram} names the trace in {page}");
    }
}

#[tokio::test]
async fn no_span_holds_an_address_a_subject_a_body_or_a_secret() {
    let (world, collector) = (given(), Collector::listening().await);
    let service = traced(&world, &collector).await;
    let private = |email: &mut postrider_proto::v1::Email| {
        "a subject for its reader alone".clone_into(&mut email.subject);
        "a body for its reader alone".clone_into(&mut email.text);
    };
    let sent = sends(&service, mail("acme").waiting_for_sent().with(private)).await;
    service.admin().tests("acme", None).await;
    service.admin().puts(Mistake::SecretsId.settings()).await;
    sends(&service, mail("acme").waiting_for_sent().with(private)).await;
    collector.child(&collector.attempt(&sent).await, "record").await;
    collector.gets("what came last", |span| attribute(span, "finding") == "SECRET_IS_ID").await;
    let mut names = BTreeMap::<String, usize>::new();
    for span in collector.spans() {
        *names.entry(span.name.clone()).or_default() += 1;
        assert!(span.events.is_empty(), "{span:#?}");
        let bytes = span.encode_to_vec();
        let secrets = [seed::SECRET, service.admin().key().rsplit('_').next().unwrap(), seed::SECRET_ID];
        let of_mail = ["a subject for", "a body for", "customer.example", seed::MAILBOX, "acme.example"];
        for canary in secrets.into_iter().chain(of_mail) {
            assert!(!canary::is_in(canary, &bytes), "{canary} in {span:#?}");
        }
    }
    assert!(names.len() >= 7, "{names:#?}");
}

#[tokio::test]
async fn a_collector_that_is_away_harms_nothing_and_is_told_once() {
    let world = given();
    // Port 1 is nobody's.
    let mut service = told(world.service(), "http://127.0.0.1:1").starts().await;
    for _ in 0..3 {
        let message = service.admin().sends(mail("acme").waiting_for_sent()).await;
        assert_eq!(message.state(), MessageState::Sent);
        service.logs("traces_not_taken").await;
    }
    assert!(service.is_asked_to_end().await.success());
    assert_eq!(service.stderr().matches("traces_not_taken").count(), 1, "{}", service.stderr());
}

#[tokio::test]
async fn what_is_no_collector_is_refused_at_the_start() {
    let refused = given().runs(&["check-config", "--telemetry.otlp_endpoint=127.0.0.1:4317"]).await;
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert!(refused.stderr.contains("telemetry.otlp_endpoint"), "{refused:#?}");
}
