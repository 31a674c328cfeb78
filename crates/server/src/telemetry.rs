//! Where events go: standard error, as text or as JSON; and spans, to a collector where one is named (`traces`).
//!
//! Rules
//! - `log.level` is for Postrider's own events. Libraries say warnings at most: below that they print frames, headers and
//!   statements, where a secret or a mail would stand.
//! - What became of `log.level` is told at any level, so that whoever sent the signal hears of it.
//! - A panic is told by its place. Its payload may hold anything and is printed nowhere.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::panic;
use std::time::Duration;

use http::Uri;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use postrider_domain::TRACE;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, registry};

use crate::config::{Log, LogFormat, LogLevel};
use crate::traces::{ExportError, exporting};

/// With what the names of all our crates begin.
const OWN: &str = "postrider";

/// They print bodies of answers, among which are secrets, as errors; what went wrong we say ourselves.
const SILENT: [&str; 2] = ["vaultrs", "rustify"];

/// How long the last spans may take to leave.
const LAST_SPANS: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
    #[error(transparent)]
    Traces(#[from] ExportError),
}

/// What is told of the process while it runs.
#[must_use = "the last spans leave at its end"]
pub struct Telemetry {
    level: Handle<Targets, Registry>,
    first_level: LogLevel,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// At the end of the process: what is not told yet leaves, or not.
    pub fn end(self) {
        if let Some(traces) = self.traces {
            drop(traces.shutdown_with_timeout(LAST_SPANS));
        }
    }

    /// At each SIGHUP: takes over the level that the configuration has then.
    pub async fn follow<E: Display>(
        &self,
        level: impl Fn() -> Result<LogLevel, E>,
    ) -> io::Result<Infallible> {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut in_use = self.first_level;
        loop {
            hang_up.recv().await;
            let changed = level().map_err(|error| error.to_string());
            let changed = changed.and_then(|level| match self.level.reload(filter(level)) {
                Ok(()) => Ok(level),
                Err(error) => Err(error.to_string()),
            });
            match changed {
                Ok(level) if level == in_use => {
                    let log_level = level.as_str();
                    // Why: a warning, so that whoever wanted to hear more hears this.
                    tracing::warn!(
                        event = "log_level_unchanged",
                        log_level,
                        "the configuration has the level that is in use: a file changes it (--config), where neither the \
                         environment nor an argument sets it"
                    );
                }
                Ok(level) => {
                    in_use = level;
                    let log_level = level.as_str();
                    tracing::info!(
                        event = "log_level_changed",
                        log_level,
                        "the log level is that of the configuration"
                    );
                }
                Err(error) => tracing::error!(event = "log_level_not_changed", error, "the log level stays"),
            }
        }
    }
}

/// Once for the process. With a collector for its traces, within a runtime.
pub fn init(log: Log, collector: Option<&Uri>) -> Result<Telemetry, TelemetryError> {
    // Why: an event that nobody can read any more would be told to standard error too, which panics.
    let events = match log.format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            fmt::layer().with_writer(std::io::stderr).with_ansi(colours).log_internal_errors(false).boxed()
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            layer.log_internal_errors(false).boxed()
        }
    };
    let (shown, level) = reload::Layer::new(filter(log.level));
    let traces = collector.map(exporting).transpose()?;
    let spans = traces.as_ref().map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("postrider"));
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        let layer = layer.with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|of| of.is_span() && of.target() == TRACE))
    });
    registry().with(events.with_filter(shown)).with(spans).try_init()?;
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: OWN, event = "panicked", place, "panicked");
    }));
    Ok(Telemetry { level, first_level: log.level, traces })
}

fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let libraries = Targets::new()
        .with_target(OWN, own)
        .with_target(module_path!(), own.max(LevelFilter::INFO))
        .with_default(own.min(LevelFilter::WARN));
    SILENT
        .into_iter()
        .chain([TRACE])
        .fold(libraries, |targets, library| targets.with_target(library, LevelFilter::OFF))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_say_warnings_at_most_however_much_we_say() {
        let filter = filter(LogLevel::Trace);
        assert!(filter.would_enable("postrider_server::call", &Level::TRACE));
        for library in ["h2::codec", "sqlx::query", "hyper", "tonic", "reqwest"] {
            assert!(filter.would_enable(library, &Level::WARN), "{library}");
            assert!(!filter.would_enable(library, &Level::INFO), "{library}");
        }
    }

    #[test]
    fn those_that_print_bodies_say_nothing() {
        let filter = filter(LogLevel::Trace);
        for library in ["vaultrs::api", "rustify::clients::reqwest"] {
            assert!(!filter.would_enable(library, &Level::ERROR), "{library}");
        }
    }

    #[test]
    fn off_silences_libraries_too() {
        let filter = filter(LogLevel::Off);
        assert!(
            !filter.would_enable("postrider", &Level::ERROR) && !filter.would_enable("h2", &Level::ERROR)
        );
    }
}
