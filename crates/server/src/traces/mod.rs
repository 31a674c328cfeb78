//! Traces: a call goes on in its caller's trace, and an attempt, which may come hours later, links back to the call.
//!
//! Rules
//! - Only spans under the target [`TRACE`] are told, and no events. What is in them is chosen where they are made: names,
//!   ids, codes. No address, no subject, no secret.
//! - Of a mail whose caller wants no trace nothing is told, its attempts neither.
//! - Without `telemetry.otlp_endpoint` there are none, and nothing of a caller's trace is kept.

mod export;
mod whole;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use postrider_domain::TRACE;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub(crate) use self::export::{ExportError, exporting};

/// W3C's header of a trace.
const TRACEPARENT: &str = "traceparent";

/// The span of a call, in the trace that its caller names. `rpc` is its full path.
pub(crate) fn of_call(rpc: &str, headers: &HeaderMap) -> Span {
    let name = rpc.trim_start_matches('/');
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    let span = tracing::info_span!(
        target: TRACE, "call", otel.name = name, otel.kind = "server", otel.status_code = Empty,
        rpc.system = "grpc", rpc.service = service, rpc.method = method, error.code = Empty
    );
    if !span.is_disabled() {
        let carried = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        // Fails only for a span that has begun.
        drop(span.set_parent(context(carried)));
    }
    span
}

/// How it ended; `reason` is that of the refusal, or "".
pub(crate) fn ended(span: &Span, reason: &'static str) {
    if !reason.is_empty() {
        span.record("otel.status_code", "ERROR").record("error.code", reason);
    }
}

/// The trace that this is done in, to be kept with what is done later.
pub(crate) fn origin() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let here = span.span_context();
    let flags = here.trace_flags().to_u8();
    here.is_valid().then(|| format!("00-{}-{}-{flags:02x}", here.trace_id(), here.span_id()))
}

/// The id of the trace that this is done in, where it is told.
pub(crate) fn sampled() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let here = span.span_context();
    here.is_sampled().then(|| here.trace_id().to_string())
}

/// Names the trace that what is done now came by.
pub(crate) fn link(origin: Option<String>) {
    if let Some(origin) = origin {
        Span::current().add_link(context(Some(&origin)).span().span_context().clone());
    }
}

/// Of a `traceparent`; one that cannot be read is none.
fn context(traceparent: Option<&str>) -> Context {
    TraceContextPropagator::new().extract(&Carried(traceparent))
}

struct Carried<'a>(Option<&'a str>);

impl Extractor for Carried<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
