//! The built program with the sandbox, for the clients' examples: on free ports, with a data directory of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{process, workspace};

pub(super) struct Service {
    pub(super) url: String,
    pub(super) key: String,
    /// Its own, with the data directory in it.
    pub(super) folder: PathBuf,
    child: Child,
}

impl Service {
    /// Starts the program, or the one that is built here, and waits until it says that the reseller `acme` is ready to send.
    pub(super) fn start(program: Option<PathBuf>) -> anyhow::Result<Self> {
        let program = program.map_or_else(workspace::program, Ok)?;
        let folder = workspace::root().join("target/clients/service");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let data = folder.join("data");
        let mut command = Command::new(&program);
        command.args(["serve", "--sandbox", "--data-dir"]).arg(&data);
        command.args(["grpc", "http", "sandbox"].map(|part| format!("--listen.{part}=127.0.0.1:0")));
        println!("   $ {}", process::spelled(&command));
        let log = folder.join("log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log)?);
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let output = child.stdout.take().context("it has no output")?;
        let mut service = Self { url: String::new(), key: String::new(), folder, child };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(address) = line.split_whitespace().find_map(|word| word.strip_prefix("grpc=")) {
                service.url = format!("http://{address}");
            }
            if line.starts_with("grpcurl ") {
                let key = fs::read_to_string(data.join("admin.key")).context("read its key")?;
                key.trim().clone_into(&mut service.key);
                return Ok(service);
            }
        }
        bail!("postrider ended before it was ready: {}", fs::read_to_string(&log)?.trim())
    }
}

impl Service {
    /// Where the API is, without the scheme.
    pub(super) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
