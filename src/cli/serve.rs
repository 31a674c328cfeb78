//! `postrider serve`: the service, and with `--sandbox` a stand-in Microsoft in the same process.
//!
//! Rules
//! - Standard output begins with the one line `listening …`, which comes once everything listens, and with `--sandbox`
//!   once reseller `acme` can send. Logs go to standard error.
//! - The first SIGTERM or Ctrl-C lets calls and attempts end, the second ends the process at once.
//! - The sandbox outlives the service, so that attempts in flight are answered.
//!
//! Knows of the service its configuration and `serve`; `acme` is made ready over the API, as any caller would do it.

mod acme;
mod greeting;
mod own_certificate;

pub(super) use greeting::{listening, print};

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use postrider_sandbox::Options;
use postrider_server::config::{Config, Sources};
use postrider_server::{Endpoints, ServeError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::configuration::{self, ConfigurationFlags};
use super::environment::Environment;
use super::failure::Failure;
use super::{sandbox, signals};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Serves a stand-in Microsoft too, with an inbox page, a data directory of its own and reseller `acme` ready to send.
    #[arg(long)]
    sandbox: bool,
    /// The database was restored from a backup: mail that waits in it may have been sent since, and ends as OUTCOME_UNKNOWN instead of being
    /// sent again. For one start, while no other replica runs.
    #[arg(long)]
    restored: bool,
    #[command(flatten)]
    flags: ConfigurationFlags,
}

/// What the greeting tells, of what was started.
struct Started {
    endpoints: Endpoints,
    admin_key_file: PathBuf,
    admin_key_made: bool,
    /// What to trust, where TLS is spoken.
    certificate_file: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: ServeArguments,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let sources = arguments.flags.sources(data_dir, overrides, arguments.sandbox, environment);
    let sources = Sources { restored: arguments.restored, ..sources };
    let config = configuration::load(sources.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = {
        let _within = runtime.enter();
        let collector = config.telemetry.otlp_endpoint.as_ref();
        postrider_server::init_telemetry(config.log, collector).map_err(anyhow::Error::new)?
    };
    let served = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        signals::cancel(shutdown.clone())?;
        let serving = async {
            if arguments.sandbox {
                with_sandbox(config, shutdown).await
            } else {
                alone(config, shutdown).await
            }
        };
        tokio::select! {
            served = serving => served,
            // Where the signal cannot be listened to; else it goes on as long as the service.
            Err(error) = telemetry.follow(|| Config::load(sources.clone()).map(|config| config.log.level)) => {
                Err(error.into())
            }
        }
    });
    telemetry.end();
    served
}

async fn alone(config: Config, shutdown: CancellationToken) -> Result<(), Failure> {
    serve(config, None, shutdown, async |started| {
        greeting::service(&started);
    })
    .await
}

async fn with_sandbox(mut config: Config, shutdown: CancellationToken) -> Result<(), Failure> {
    let microsoft = sandbox::bind(config.listen.sandbox, Options::default()).await?;
    let address = microsoft.local_addr();
    let origin = format!("http://{}", reachable(address));
    config.microsoft.login_url = Some(origin.clone());
    config.microsoft.graph_url = Some(origin);
    let data_dir = config.data_dir.clone();
    let last = CancellationToken::new();
    let answering = tokio::spawn(microsoft.serve(last.clone()));
    let served = serve(config, Some(address), shutdown, async |started| {
        if let Err(problem) = acme::make_ready(&started).await {
            drop(writeln!(std::io::stderr(), "warning: reseller acme is not ready to send: {problem:#}"));
        }
        greeting::service_with_sandbox(&started, &data_dir);
    })
    .await;
    last.cancel();
    match answering.await {
        Ok(Err(error)) => served.and(Err(anyhow::Error::new(error).into())),
        _ => served,
    }
}

/// Serves until shutdown, and greets once it has started.
async fn serve(
    config: Config,
    sandbox: Option<SocketAddr>,
    shutdown: CancellationToken,
    greet: impl AsyncFnOnce(Started),
) -> Result<(), Failure> {
    let (tell, told) = oneshot::channel();
    let certificate_file = config.tls.certificate_file.clone();
    let ready = |started: &postrider_server::Started| {
        let admin_key_file = started.admin_key_file.clone();
        let (endpoints, admin_key_made) = (started.endpoints, started.admin_key_made);
        // Nobody listens any more when the process is being ended.
        drop(tell.send(Started { endpoints, admin_key_file, admin_key_made, certificate_file }));
    };
    let greeting = async {
        // Why: an error here is a service that did not start, and that error is told below.
        if let Ok(started) = told.await {
            greet(started).await;
        }
    };
    // Why: boxed, since it is the largest future there is.
    let serving = Box::pin(postrider_server::serve(config, sandbox, shutdown, ready));
    let (served, ()) = tokio::join!(serving, greeting);
    served.map_err(failure)
}

/// What the operator can mend before the next start is configuration.
fn failure(error: ServeError) -> Failure {
    match error {
        error @ (ServeError::Serve(_) | ServeError::Microsoft(_)) => Failure::Failed(error.into()),
        error => Failure::Usage(error.into()),
    }
}

/// The address by which this machine reaches a listener, also one on all addresses.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback() {
        let reached = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(reached("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reached("[::]:1"), "[::1]:1");
        assert_eq!(reached("192.0.2.1:1"), "192.0.2.1:1");
    }
}
