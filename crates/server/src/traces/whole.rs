//! A trace that begins here is told whole, once its first span has ended, or not at all: not where that span links to one whose
//! caller wants no trace. An attempt reads only on its way which call it came by.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, TraceContextExt as _, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

/// Hands on to another what is to be told.
#[derive(Debug)]
pub(super) struct Whole<P> {
    inner: P,
    /// What has ended of the traces that began here.
    held: Mutex<HashMap<TraceId, Vec<SpanData>>>,
}

impl<P> Whole<P> {
    pub(super) fn before(inner: P) -> Self {
        Self { inner, held: Mutex::default() }
    }
}

impl<P: SpanProcessor> SpanProcessor for Whole<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if !context.span().span_context().is_valid() {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(span.span_context().trace_id(), Vec::new());
        }
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let trace = span.span_context.trace_id();
        match held.get_mut(&trace) {
            Some(spans) if span.parent_span_id != SpanId::INVALID => return spans.push(span),
            _ => {}
        }
        let spans = held.remove(&trace).unwrap_or_default();
        drop(held);
        if span.links.iter().all(|link| link.span_context.is_sampled()) {
            spans.into_iter().chain([span]).for_each(|span| self.inner.on_end(span));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
