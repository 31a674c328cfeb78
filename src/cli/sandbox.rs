//! `postrider sandbox`: the stand-in Microsoft alone, with the same directory as in `serve --sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;

use postrider_sandbox::{Sandbox, seed};
use postrider_server::config::Config;
use postrider_server::{DataDir, Endpoints};
use tokio_util::sync::CancellationToken;

use super::configuration::ConfigurationFlags;
use super::environment::Environment;
use super::failure::Failure;
use super::serve::{listening, print, reachable};
use super::signals;

pub(crate) fn run(
    flags: ConfigurationFlags,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let config = flags.load(data_dir, overrides, true, environment)?;
    postrider_server::init_telemetry(config.log).map_err(anyhow::Error::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&config))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    signals::cancel(shutdown.clone())?;
    let data_dir = DataDir::open(&config.data_dir).map_err(|error| Failure::Usage(error.into()))?;
    let microsoft = bind(config.listen.sandbox).await?;
    let endpoints = Endpoints { sandbox: Some(microsoft.local_addr()), ..Endpoints::default() };
    data_dir.write_endpoints(&endpoints).map_err(anyhow::Error::new)?;
    let origin = format!("http://{}", reachable(microsoft.local_addr()));
    print(&format!(
        "{}\n\nInbox: {origin}/\nSend a service's mail here: postrider serve --microsoft.login_url={origin} \
         --microsoft.graph_url={origin}",
        listening(&endpoints)
    ));
    microsoft.serve(shutdown).await.map_err(anyhow::Error::new)?;
    Ok(())
}

/// Listens, with the ready-made directory in place.
pub(crate) async fn bind(address: SocketAddr) -> Result<Sandbox, Failure> {
    let microsoft = Sandbox::bind(address).await.map_err(|error| {
        let mend = "stop what has it, or choose another with --listen.sandbox=ADDRESS:PORT";
        Failure::usage(format_args!("{:#}; {mend}", anyhow::Error::new(error)))
    })?;
    microsoft.put_directory(seed::TENANT_ID, seed::directory()).map_err(anyhow::Error::new)?;
    Ok(microsoft)
}
