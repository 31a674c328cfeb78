//! Where events go: standard error, as text or as JSON.
//!
//! Rules
//! - `log.level` is for Postrider's own events. Libraries say warnings at most: below that they print frames, headers and
//!   statements, where a secret or a mail would stand.
//! - A panic is told by its place. Its payload may hold anything and is printed nowhere.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::panic;

use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, registry};

use crate::config::{Log, LogFormat, LogLevel};

/// With what the names of all our crates begin.
const OWN: &str = "postrider";

/// They print bodies of answers, among which are secrets, as errors; what went wrong we say ourselves.
const SILENT: [&str; 2] = ["vaultrs", "rustify"];

#[derive(Debug, thiserror::Error)]
#[error("logging was set up twice: {0}")]
pub struct TelemetryError(#[from] TryInitError);

/// Sets the level while the service runs.
pub struct LogSwitch(Handle<Targets, Registry>);

impl LogSwitch {
    /// At each SIGHUP: takes over the level that the configuration has then.
    pub async fn follow<E: Display>(
        &self,
        level: impl Fn() -> Result<LogLevel, E>,
    ) -> io::Result<Infallible> {
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            hang_up.recv().await;
            let changed = level().map_err(|error| error.to_string());
            let changed = changed.and_then(|level| match self.0.reload(filter(level)) {
                Ok(()) => Ok(level),
                Err(error) => Err(error.to_string()),
            });
            match changed {
                Ok(level) => {
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

/// Once for the process.
pub fn init(log: Log) -> Result<LogSwitch, TelemetryError> {
    let events = match log.format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            fmt::layer().with_writer(std::io::stderr).with_ansi(colours).boxed()
        }
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
    };
    let (level, switch) = reload::Layer::new(filter(log.level));
    registry().with(events.with_filter(level)).try_init()?;
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: OWN, event = "panicked", place, "panicked");
    }));
    Ok(LogSwitch(switch))
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
    let libraries = Targets::new().with_target(OWN, own).with_default(own.min(LevelFilter::WARN));
    SILENT.into_iter().fold(libraries, |targets, library| targets.with_target(library, LevelFilter::OFF))
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
