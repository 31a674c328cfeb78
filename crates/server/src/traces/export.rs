//! Spans to a collector by OTLP: in batches, beside the work. A collector that is away costs spans and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, SdkTracerProvider, SpanData};

use super::whole::Whole;

/// How long a batch may take. Meanwhile spans are kept up to a bound, and dropped above it.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("telemetry.otlp_endpoint cannot be used: {0}")]
pub struct ExportError(#[from] ExporterBuildError);

/// What makes and exports spans. It needs a runtime around it.
pub(crate) fn exporting(endpoint: &Uri) -> Result<SdkTracerProvider, ExportError> {
    let mut builder =
        SpanExporter::builder().with_tonic().with_endpoint(endpoint.to_string()).with_timeout(BATCH_TIMEOUT);
    if endpoint.scheme_str() == Some("https") {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    let exporter = Watched { inner: builder.build()?, is_away: AtomicBool::new(false) };
    let resource = Resource::builder()
        .with_service_name("postrider")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let whole = Whole::before(BatchSpanProcessor::builder(exporter).build());
    Ok(SdkTracerProvider::builder().with_span_processor(whole).with_resource(resource).build())
}

/// An exporter that says once when the collector goes away, and when it is back.
#[derive(Debug)]
struct Watched {
    inner: SpanExporter,
    is_away: AtomicBool,
}

impl trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.inner.export(batch).await;
        match (&exported, self.is_away.swap(exported.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(event = "traces_not_taken", %error, "the collector takes no traces: they are dropped");
            }
            (Ok(()), true) => {
                tracing::info!(event = "traces_taken_again", "the collector takes traces again");
            }
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
