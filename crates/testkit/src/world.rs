//! A folder for one test, and what is started in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;

use crate::authority::{Authority, Issued};
use crate::client::Way;
use crate::microsoft::Microsoft;
use crate::program::{Finished, Program, run};
use crate::service::Service;

/// Where one test happens. Cheap to clone.
#[derive(Clone)]
pub struct World {
    program: PathBuf,
    room: Arc<Room>,
}

/// The folder. It outlives the processes in it, and the test where that fails.
struct Room(Option<TempDir>);

impl Drop for Room {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.0.take()
        {
            eprintln!("the logs and the data of the failed test are in {}", dir.keep().display());
        }
    }
}

impl World {
    /// `program` is the built binary: `env!("CARGO_BIN_EXE_postrider")`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let dir = tempfile::Builder::new().prefix("postrider-it-").tempdir().unwrap();
        Self { program: program.into(), room: Arc::new(Room(Some(dir))) }
    }

    pub fn path(&self) -> &Path {
        self.room.0.as_ref().unwrap().path()
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A path in the folder, of a file with this text.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Puts a certificate into `tls.pem` and its key into `tls.key`, in place of what was there.
    pub fn holds(&self, issued: &Issued) -> (String, String) {
        let key = self.file("tls.key", &issued.key);
        let certificate = self.file("tls.pem", &issued.certificate);
        (certificate.display().to_string(), key.display().to_string())
    }

    /// The binary, with nothing of the environment that would configure it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        self.bare(&mut command);
        command
    }

    /// Takes every `POSTRIDER_…` out of a command's environment, and puts it into the folder.
    pub fn bare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POSTRIDER_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path());
    }

    /// Runs the binary to its end.
    pub async fn runs(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command();
        command.args(arguments);
        run(command, "").await
    }

    /// A stand-in Microsoft in a process of its own, which outlives every death of the service. It is strict.
    pub async fn microsoft(&self) -> Microsoft {
        let (program, address) = self.sandbox(&["--strict"]).await;
        Microsoft::run_by(program, &address, self.clone())
    }

    /// The same over TLS. What must be trusted is [`Microsoft::ca_file`].
    pub async fn microsoft_over_tls(&self) -> Microsoft {
        self.over_tls(&["--strict", "--tls"]).await
    }

    /// And one that only counts: Microsoft's client for JavaScript sends its token to every host that it was told of.
    pub async fn lenient_microsoft_over_tls(&self) -> Microsoft {
        self.over_tls(&["--tls"]).await
    }

    async fn over_tls(&self, arguments: &[&str]) -> Microsoft {
        let (program, address) = self.sandbox(arguments).await;
        let ca_file = self.path().join("microsoft/sandbox-ca.pem");
        Microsoft::run_over_tls_by(program, &address, self.clone(), ca_file)
    }

    async fn sandbox(&self, arguments: &[&str]) -> (Program, String) {
        let mut command = self.command();
        command.args(["sandbox", "--data-dir", "microsoft", "--listen.sandbox=127.0.0.1:0"]).args(arguments);
        let program = Program::start(command, self.path(), "sandbox");
        let address = program.listens(&["sandbox"]).await.remove(0).expect("the sandbox listens");
        (program, address)
    }

    /// A service to be started, by default with a stand-in Microsoft in the same process.
    pub fn service(&self) -> ServiceBuilder {
        ServiceBuilder {
            world: self.clone(),
            data_dir: self.path().join("data"),
            microsoft: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            trusted: None,
        }
    }
}

/// What a service is started with.
#[derive(Clone)]
pub struct ServiceBuilder {
    world: World,
    data_dir: PathBuf,
    microsoft: Option<Microsoft>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The authority of its certificate, where it has one.
    trusted: Option<String>,
}

impl ServiceBuilder {
    /// Speaks TLS, with a certificate of this authority's for `localhost`, in `tls.pem` and `tls.key` of the world.
    #[must_use]
    pub fn over_tls(self, authority: &Authority) -> Self {
        let (certificate, key) = self.world.holds(&authority.issues(&["localhost", "127.0.0.1"]));
        let with = self.with("tls.certificate_file", &certificate).with("tls.key_file", &key);
        Self { trusted: Some(authority.pem().to_owned()), ..with }
    }

    pub(crate) fn way(&self, address: &str) -> Way {
        match &self.trusted {
            Some(authority) => Way::over_tls(address, authority),
            None => Way::plain(address),
        }
    }

    /// Sends its mail to a stand-in that runs apart.
    #[must_use]
    pub fn sending_to(mut self, microsoft: &Microsoft) -> Self {
        self.microsoft = Some(microsoft.clone());
        self
    }

    /// `--section.key=value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.arguments.push(format!("--{key}={value}"));
        self
    }

    #[must_use]
    pub fn with_argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn in_data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = path.into();
        self
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Names its logs.
    pub(crate) fn name(&self) -> &str {
        match self.data_dir.file_name().and_then(|name| name.to_str()) {
            Some(name) if name != "data" => name,
            _ => "service",
        }
    }

    /// The `--section.key=value` that were given, for other commands of the same configuration.
    pub fn overrides(&self) -> &[String] {
        &self.arguments
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn microsoft(&self) -> Option<&Microsoft> {
        self.microsoft.as_ref()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.world.command();
        command.arg("serve").arg("--data-dir").arg(&self.data_dir);
        command.args(["--listen.grpc=127.0.0.1:0", "--listen.http=127.0.0.1:0"]);
        match &self.microsoft {
            None => command.args(["--sandbox", "--listen.sandbox=127.0.0.1:0"]),
            Some(microsoft) => command.args([
                format!("--microsoft.login_url={}", microsoft.origin()),
                format!("--microsoft.graph_url={}", microsoft.origin()),
            ]),
        };
        if let Some(ca_file) = self.microsoft.as_ref().and_then(Microsoft::ca_file) {
            command.arg(format!("--microsoft.ca_file={}", ca_file.display()));
        }
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub async fn starts(self) -> Service {
        Service::start(self).await
    }

    /// Runs it to its end, which comes soon where it refuses to start.
    pub async fn ends(&self) -> Finished {
        run(self.command(), "").await
    }
}
