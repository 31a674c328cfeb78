//! A running service: its client, its command line, its death and its return.

use std::path::Path;
use std::process::ExitStatus;

use crate::client::{Client, Way};
use crate::microsoft::Microsoft;
use crate::patience::seen;
use crate::program::{Finished, Program, run};
use crate::settings::acme_settings;
use crate::world::{ServiceBuilder, World};

/// A running `postrider serve`.
pub struct Service {
    built: ServiceBuilder,
    program: Program,
    grpc: String,
    http: String,
    admin: Client,
    microsoft: Microsoft,
}

impl Service {
    pub(crate) async fn start(built: ServiceBuilder) -> Self {
        let program = Program::start(built.command(), built.world().path(), built.name());
        let listening = program.listens(&["grpc", "http", "sandbox"]).await;
        let [grpc, http, sandbox] = listening.try_into().expect("three addresses were asked for");
        let grpc = grpc.expect("the API listens");
        let key = std::fs::read_to_string(built.data_dir().join("admin.key")).expect("admin.key can be read");
        let microsoft = match built.microsoft() {
            Some(microsoft) => microsoft.clone(),
            None => Microsoft::at(&sandbox.expect("the sandbox listens")),
        };
        let admin = Client::by(&built.way(&grpc), key.trim());
        Self { built, program, grpc, http: http.expect("the pages listen"), admin, microsoft }
    }

    /// The client with the key of `admin.key`.
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// A client with another key.
    pub fn client(&self, key: &str) -> Client {
        Client::by(&self.way(), key)
    }

    pub fn way(&self) -> Way {
        self.built.way(&self.grpc)
    }

    pub fn microsoft(&self) -> &Microsoft {
        &self.microsoft
    }

    /// Saves settings for `acme` that work, where the stand-in runs apart and the service did not do it itself.
    pub async fn with_acme(self) -> Self {
        self.admin.puts(acme_settings()).await;
        self
    }

    /// `host:port`.
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// `host:port`.
    pub fn http(&self) -> &str {
        &self.http
    }

    pub fn data_dir(&self) -> &Path {
        self.built.data_dir()
    }

    pub fn world(&self) -> &World {
        self.built.world()
    }

    /// What it was started with.
    pub fn built(&self) -> &ServiceBuilder {
        &self.built
    }

    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    pub fn stdout(&self) -> String {
        self.program.stdout()
    }

    pub fn stderr(&self) -> String {
        self.program.stderr()
    }

    /// kill -9.
    pub async fn is_killed(&mut self) {
        self.program.kill().await;
    }

    /// kill -9 and a start on the same data directory.
    pub async fn is_killed_and_returns(&mut self) {
        self.is_killed().await;
        self.returns().await;
    }

    /// Starts again on the same data directory, once it has ended.
    pub async fn returns(&mut self) {
        *self = Self::start(self.built.clone()).await;
    }

    /// SIGTERM, and how it ended.
    pub async fn is_asked_to_end(&mut self) -> ExitStatus {
        self.program.terminate().await;
        self.program.ends().await
    }

    /// A client command, which finds the service by its data directory.
    pub async fn cli(&self, arguments: &[&str]) -> Finished {
        self.cli_reading(arguments, "").await
    }

    /// The same, with something on standard input.
    pub async fn cli_reading(&self, arguments: &[&str], input: &str) -> Finished {
        let mut command = self.world().command();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        run(command, input).await
    }

    /// A client command that goes on until it is ended; `name` names its outputs.
    pub fn cli_goes_on(&self, arguments: &[&str], name: &str) -> Program {
        let mut command = self.world().command();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        Program::start(command, self.world().path(), name)
    }

    /// Status and body of a page on the HTTP port.
    pub async fn page(&self, path: &str) -> (u16, String) {
        Microsoft::at(&self.http).page(path).await
    }

    /// Waits until the pages for probes answer so.
    pub async fn is_ready(&self, status: u16) {
        seen(&format!("/readyz answers {status}"), || self.page("/readyz"), |page| page.0 == status).await;
    }

    /// The first line of the log with this, once it is there. What was logged before the last start does not count.
    pub async fn logs(&self, text: &str) -> String {
        self.logs_times(1, text).await
    }

    /// The last of so many lines with this.
    pub async fn logs_times(&self, times: usize, text: &str) -> String {
        let last = |log: &str| lines_with(log, text).nth(times - 1).map(str::to_owned);
        let log = self.program.warns(&format!("{text}, {times} times"), |log| last(log).is_some()).await;
        last(&log).expect("it was there")
    }
}

/// The whole lines with this.
fn lines_with<'a>(log: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    log.split_inclusive('\n').filter(move |line| line.ends_with('\n') && line.contains(text))
}
