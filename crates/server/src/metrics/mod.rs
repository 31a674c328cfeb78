//! What operators count: names of the contract, and some beside them (docs/metrics.md).
//!
//! Rules
//! - What happens is counted where it happens, once it is on disk, by whichever process did it: over replicas counters add up.
//! - What there is, is asked of the store when somebody scrapes (`census.rs`): every replica tells the same.
//! - No label holds a secret, an address or an id; how many there can be is bounded (`labels.rs`).

mod census;
mod connections;
mod labels;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, Clock, FindingClass, FindingCode, MessageState, Outcome, ResellerId, Resolution,
};
use postrider_microsoft::{Call, Observer};
use postrider_store::DynStore;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use self::census::Census;
use self::connections::AllConnections;
pub(crate) use self::connections::{Connections, Counted};
use self::labels::{Labels, ResellerLabels, labels};
use crate::access::rpc_name;
use crate::credentials::TokenFetch;
use crate::health::Readiness;
use crate::ids::accept_time;
use crate::traces;

/// Of what we do ourselves.
const SHORT: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Of what Microsoft does.
const CALL: [f64; 11] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From a message that goes at once to one that waited for three days.
const QUEUE: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0];

/// Durations, each with an example of a trace that took so long.
type Timed = HistogramWithExemplars<[(&'static str, String); 1]>;

pub(crate) struct Metrics {
    registry: Registry,
    resellers: ResellerLabels,
    accepted: Family<Labels, Counter>,
    finished: Family<Labels, Counter>,
    attempts: Family<Labels, Counter>,
    accept_seconds: Timed,
    queue_seconds: Timed,
    token_fetches: Family<Labels, Counter>,
    microsoft: Arc<MicrosoftCalls>,
    rpcs: Family<Labels, Timed>,
    readiness: Family<Labels, Gauge>,
    connections: AllConnections,
    census: Census,
}

impl Metrics {
    pub(crate) fn new(reseller_labels: bool) -> Self {
        let mut registry = Registry::with_prefix("postrider");
        let mut metrics = Self {
            resellers: ResellerLabels::new(reseller_labels),
            accepted: registered(
                &mut registry,
                "messages_accepted",
                "Messages accepted, replays not counted",
            ),
            finished: registered(
                &mut registry,
                "messages_finished",
                "Times that a message came to an end state",
            ),
            attempts: registered(
                &mut registry,
                "attempts",
                "Attempts ended, by outcome and by the code of its finding",
            ),
            accept_seconds: of_seconds(
                &mut registry,
                "accept",
                "From a SendMail to the message on disk",
                SHORT,
            ),
            queue_seconds: of_seconds(
                &mut registry,
                "queue",
                "From accepted to sent, also of mail for later",
                QUEUE,
            ),
            token_fetches: registered(
                &mut registry,
                "token_fetches",
                "Access tokens asked for, whatever is cached",
            ),
            microsoft: Arc::new(MicrosoftCalls(each_of_seconds(
                &mut registry,
                "microsoft_request",
                "Requests to Microsoft until the head of the answer, by HTTP status",
                || Timed::new(CALL.into_iter()),
            ))),
            rpcs: each_of_seconds(
                &mut registry,
                "rpc",
                "Calls of the API, by the reason they were refused for; of a watch, until it began",
                || Timed::new(SHORT.into_iter()),
            ),
            readiness: registered(&mut registry, "readiness", "1 for the state that /readyz tells"),
            connections: AllConnections::registered(&mut registry),
            census: Census::registered(&mut registry),
            registry: Registry::default(),
        };
        let build: Family<Labels, Gauge> = registered(&mut registry, "build_info", "1, with the version");
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").into())]).set(1);
        metrics.registry = registry;
        metrics
    }

    /// What may never happen is told as 0, so that a first time is seen as a rise.
    fn begin(&self) {
        for reseller in self.resellers.so_far() {
            let begin = |counters: &Family<Labels, Counter>, labels| drop(counters.get_or_create(&labels));
            begin(&self.accepted, labels(reseller.clone(), []));
            for state in MessageState::ALL.into_iter().filter(|state| state.is_end()) {
                begin(&self.finished, labels(reseller.clone(), [("state", state.as_str())]));
            }
            for finding in FindingCode::ALL.iter().filter(|code| code.class() == FindingClass::InDoubt) {
                let labelled = [("outcome", Outcome::InDoubt.as_str()), ("finding", finding.as_str())];
                begin(&self.attempts, labels(reseller.clone(), labelled));
            }
        }
        for result in [TokenFetch::Ok, TokenFetch::Refused, TokenFetch::Failed] {
            self.token_fetches.get_or_create(&vec![("result", result.as_str().into())]).inc_by(0);
        }
    }

    /// New messages are on disk.
    pub(crate) fn accepted(&self, reseller: &ResellerId, messages: u64) {
        self.accepted.get_or_create(&self.resellers.with(Some(reseller), [])).inc_by(messages);
    }

    /// One was, so long after its call began.
    pub(crate) fn accepted_after(&self, took: Duration) {
        observe(&self.accept_seconds, took.as_secs_f64());
    }

    pub(crate) fn finished(&self, reseller: &ResellerId, state: MessageState, messages: u64) {
        let labels = self.resellers.with(Some(reseller), [("state", state.as_str())]);
        self.finished.get_or_create(&labels).inc_by(messages);
    }

    /// The end of an attempt is on disk.
    pub(crate) fn attempted(&self, reseller: &ResellerId, end: &AttemptEnd) {
        let finding = end.verdict.finding.as_ref().map_or("", |finding| finding.code.as_str());
        let outcome = [("outcome", end.verdict.outcome.as_str()), ("finding", finding)];
        self.attempts.get_or_create(&self.resellers.with(Some(reseller), outcome)).inc();
        if let Resolution::End(state) = end.resolution {
            self.finished(reseller, state, 1);
        }
        if end.verdict.outcome == Outcome::Sent
            && let Some(accepted) = accept_time(&end.message)
        {
            let queued = end.end_time.duration_since(accepted).as_secs_f64();
            observe(&self.queue_seconds, queued.max(0.0));
        }
    }

    pub(crate) fn token_fetched(&self, fetch: TokenFetch) {
        self.token_fetches.get_or_create(&vec![("result", fetch.as_str().into())]).inc();
    }

    /// `path` is the RPC's, in full; `reason` that of the refusal, or "".
    pub(crate) fn called(&self, path: &str, reason: &'static str, took: Duration) {
        let labels = vec![("rpc", rpc_name(path).into()), ("reason", reason.into())];
        observe(&self.rpcs.get_or_create(&labels), took.as_secs_f64());
    }

    /// Of a listener, which may have so many.
    pub(crate) fn connections(&self, listener: &'static str, most: usize) -> Connections {
        self.connections.of(listener, most)
    }

    pub(crate) fn own_certificate_ends(&self, end: Option<Timestamp>) {
        self.connections.certificate_ends(end);
    }

    /// To be told of each request to Microsoft.
    pub(crate) fn of_microsoft(&self) -> Arc<dyn Observer> {
        self.microsoft.clone()
    }

    /// All of it, in the OpenMetrics text format, which Prometheus's own is a part of.
    pub(crate) async fn page(&self, readiness: Readiness, store: &DynStore, clock: &dyn Clock) -> String {
        self.census.look(store, clock.now(), &self.resellers).await;
        self.begin();
        for state in Readiness::ALL {
            let gauge = self.readiness.get_or_create_owned(&vec![("state", state.as_str().into())]);
            gauge.set((state == readiness).into());
        }
        self.text()
    }

    /// As it was counted, without another look at what there is.
    pub(crate) fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        // A family whose label set is empty, as others write it.
        page.replace("{} ", " ")
    }
}

#[derive(Debug)]
struct MicrosoftCalls(Family<Labels, Timed>);

impl Observer for MicrosoftCalls {
    fn asked(&self, call: Call, status: Option<u16>, took: Duration) {
        let labels = vec![("call", Cow::from(call.as_str())), ("status", labels::status(status))];
        observe(&self.0.get_or_create(&labels), took.as_secs_f64());
    }
}

/// With the trace that it is observed in, where there is one.
fn observe(histogram: &Timed, seconds: f64) {
    let trace = traces::sampled().map(|trace_id| [("trace_id", trace_id)]);
    histogram.observe(seconds, trace, None);
}

fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    keep(registry, name, help, M::default())
}

fn of_seconds<const N: usize>(registry: &mut Registry, name: &str, help: &str, buckets: [f64; N]) -> Timed {
    keep(registry, &format!("{name}_seconds"), help, Timed::new(buckets.into_iter()))
}

fn each_of_seconds(
    registry: &mut Registry,
    name: &str,
    help: &str,
    one: fn() -> Timed,
) -> Family<Labels, Timed> {
    keep(registry, &format!("{name}_seconds"), help, Family::new_with_constructor(one))
}

fn keep<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}
