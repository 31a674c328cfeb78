//! `postrider sandbox`: the stand-in Microsoft alone, with the same directory as in `serve --sandbox`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use postrider_sandbox::{Options, Sandbox, seed};
use postrider_server::config::Config;
use postrider_server::{DataDir, Endpoints};
use tokio_util::sync::CancellationToken;

use super::configuration::ConfigurationFlags;
use super::environment::Environment;
use super::failure::Failure;
use super::serve::{listening, print, reachable};
use super::signals;

/// What clients of a sandbox with TLS must trust, in its data directory.
const CA_FILE: &str = "sandbox-ca.pem";

#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    /// Serves over TLS, with a certificate whose authority is written to sandbox-ca.pem in the data directory.
    #[arg(long)]
    tls: bool,
    /// A host name that the certificate is for, beside localhost, 127.0.0.1 and ::1; may be given more than once.
    #[arg(long, value_name = "HOST", requires = "tls")]
    tls_name: Vec<String>,
    /// Refuses what is otherwise only counted, such as a request before its Retry-After has passed.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    flags: ConfigurationFlags,
}

pub(crate) fn run(
    arguments: SandboxArguments,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let SandboxArguments { tls, tls_name: tls_names, strict, flags } = arguments;
    let config = flags.load(data_dir, overrides, true, environment)?;
    let _logs = postrider_server::init_telemetry(config.log, None).map_err(anyhow::Error::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&config, Options { tls, tls_names, strict }))
}

async fn serve(config: &Config, options: Options) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    signals::cancel(shutdown.clone())?;
    let data_dir = DataDir::open(&config.data_dir).map_err(|error| Failure::Usage(error.into()))?;
    let microsoft = bind(config.listen.sandbox, options).await?;
    let endpoints = Endpoints { sandbox: Some(microsoft.local_addr()), ..Endpoints::default() };
    data_dir.write_endpoints(&endpoints).map_err(anyhow::Error::new)?;
    let (scheme, trust) = match microsoft.ca_pem() {
        Some(ca_pem) => ("https", trust(&config.data_dir, ca_pem)?),
        None => ("http", String::new()),
    };
    let origin = format!("{scheme}://{}", reachable(microsoft.local_addr()));
    print(&format!(
        "{}\n\nInbox: {origin}/\nSend a service's mail here: postrider serve --microsoft.login_url={origin} \
         --microsoft.graph_url={origin}{trust}",
        listening(&endpoints)
    ));
    microsoft.serve(shutdown).await.map_err(anyhow::Error::new)?;
    Ok(())
}

/// Writes down what clients must trust; the flag by which a service does.
fn trust(data_dir: &Path, ca_pem: &str) -> Result<String, Failure> {
    let path = data_dir.join(CA_FILE);
    std::fs::write(&path, ca_pem).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!(" --microsoft.ca_file={}", path.display()))
}

/// Listens, with the ready-made directory in place.
pub(crate) async fn bind(address: SocketAddr, options: Options) -> Result<Sandbox, Failure> {
    let microsoft = Sandbox::bind(address, options).await.map_err(|error| {
        let mend = "stop what has it, or choose another with --listen.sandbox=ADDRESS:PORT";
        Failure::usage(format_args!("{:#}; {mend}", anyhow::Error::new(error)))
    })?;
    microsoft.put_directory(seed::TENANT_ID, seed::directory()).map_err(anyhow::Error::new)?;
    Ok(microsoft)
}
