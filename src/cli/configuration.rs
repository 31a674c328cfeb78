//! The service's configuration from file, environment and arguments, and `postrider check-config`.

use std::path::PathBuf;

use clap::Args;
use postrider_server::config::{Config, Sources};

use super::environment::Environment;
use super::failure::Failure;
use super::screen;

#[derive(Debug, Args)]
#[command(after_help = "Every key of the configuration is also a flag, such as --listen.grpc=127.0.0.1:0, \
                        over the environment (POSTRIDER_LISTEN__GRPC), over the file.")]
pub(crate) struct ConfigurationFlags {
    /// The configuration file, in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigurationFlags {
    /// All that is said about the configuration, read and checked.
    pub(crate) fn load(
        self,
        data_dir: Option<PathBuf>,
        overrides: Vec<(String, String)>,
        sandbox: bool,
        environment: &Environment,
    ) -> Result<Config, Failure> {
        load(self.sources(data_dir, overrides, sandbox, environment))
    }

    /// Where it is said.
    pub(crate) fn sources(
        self,
        data_dir: Option<PathBuf>,
        overrides: Vec<(String, String)>,
        sandbox: bool,
        environment: &Environment,
    ) -> Sources {
        Sources {
            file: self.config,
            environment: environment.pairs(),
            overrides,
            data_dir,
            sandbox,
            restored: false,
        }
    }
}

pub(crate) fn load(sources: Sources) -> Result<Config, Failure> {
    Config::load(sources).map_err(|error| Failure::Usage(error.into()))
}

pub(crate) fn check(
    flags: ConfigurationFlags,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let config = flags.load(data_dir, overrides, false, environment)?;
    screen::say(&format!("the configuration holds; the data directory is {}", config.data_dir.display()))?;
    let replaced = [("login_url", config.microsoft.login_url), ("graph_url", config.microsoft.graph_url)];
    for (key, url) in replaced.into_iter().filter_map(|(key, url)| Some((key, url?))) {
        screen::say(&format!("in Microsoft's place there is {url} (microsoft.{key})"))?;
    }
    Ok(())
}
