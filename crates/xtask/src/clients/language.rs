//! The five languages: which programs each needs, how it gets its dependencies, and how it is tested.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::service::Service;
use crate::{process, workspace};

/// Two lines of every example's output, and so what must have happened.
const EXAMPLE_SAYS: [&str; 2] = ["MESSAGE_STATE_SENT", "TEST_STEP_SEND TEST_STATUS_PASSED"];

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Go,
    Python,
    Node,
    Java,
    Rust,
}

impl std::fmt::Display for Language {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// One language's client: its folder, its programs, and what is run there in turn.
pub(super) struct Client {
    pub(super) folder: PathBuf,
    /// What it makes beside the source: under `target`.
    pub(super) scratch: PathBuf,
    programs: &'static [(&'static str, &'static str)],
    /// Gets the dependencies of the lock file.
    setup: Vec<Command>,
    tests: Vec<Command>,
    example: Command,
}

impl Language {
    pub(super) const ALL: [Self; 5] = [Self::Go, Self::Python, Self::Node, Self::Java, Self::Rust];

    fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::Rust => "rust",
        }
    }

    pub(super) fn client(self) -> Client {
        let folder = workspace::root().join("clients").join(self.name());
        let scratch = workspace::root().join("target/clients").join(self.name());
        let (programs, setup, tests, example): (&'static [(&str, &str)], _, _, _) = match self {
            Self::Go => (
                &[("go", "Go 1.26 or newer")],
                vec![],
                vec![command("go", &["vet", "./..."]), command("go", &["test", "./..."])],
                command("go", &["run", "./example"]),
            ),
            Self::Python => {
                let python = scratch.join("venv/bin/python");
                let python = python.to_string_lossy();
                let venv = scratch.join("venv");
                let install =
                    ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements.lock"];
                let mut example = command(&python, &["examples/send.py"]);
                example.env("PYTHONPATH", "src");
                (
                    &[("python3", "Python 3.11 or newer, with venv (Debian: python3-venv)")],
                    vec![
                        command("python3", &["-m", "venv", &venv.to_string_lossy()]),
                        command(&python, &install),
                    ],
                    vec![
                        command(&python, &["-m", "ruff", "check", "--quiet"]),
                        command(&python, &["-m", "ruff", "format", "--quiet", "--check"]),
                        command(&python, &["-m", "mypy"]),
                        command(&python, &["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]),
                    ],
                    example,
                )
            }
            Self::Node => (
                &[("node", "Node.js 20 or newer"), ("npm", "npm (Debian: npm)")],
                vec![command(
                    "npm",
                    &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                )],
                vec![command("npm", &["test", "--silent"])],
                command("npm", &["run", "--silent", "example"]),
            ),
            Self::Java => (
                &[
                    ("javac", "a JDK, 17 or newer (Debian: default-jdk-headless)"),
                    ("mvn", "Maven (Debian: maven)"),
                ],
                vec![],
                vec![command("mvn", &["--batch-mode", "--quiet", "test"])],
                command("mvn", &["--batch-mode", "--quiet", "exec:java"]),
            ),
            // Its tests are among those of the workspace.
            Self::Rust => (
                &[],
                vec![],
                vec![],
                process::cargo(&[
                    "run",
                    "--locked",
                    "--quiet",
                    "-p",
                    "postrider-client",
                    "--example",
                    "send",
                ]),
            ),
        };
        Client { folder, scratch, programs, setup, tests, example }
    }
}

impl Client {
    /// Finds the programs, and gets the dependencies.
    pub(super) fn prepare(&self) -> anyhow::Result<()> {
        let missing: Vec<&str> = self
            .programs
            .iter()
            .filter(|(program, _)| process::on_path(program).is_empty())
            .map(|(_, what)| *what)
            .collect();
        if !missing.is_empty() {
            bail!("{} is needed, and not on PATH", missing.join(" and "));
        }
        fs::create_dir_all(&self.scratch).with_context(|| format!("create {}", self.scratch.display()))?;
        self.setup.iter().try_for_each(|command| process::run(&mut self.here(command)))
    }

    /// Runs its tests, then its example against the service.
    pub(super) fn test(&self, service: &Service) -> anyhow::Result<()> {
        self.tests.iter().try_for_each(|command| process::run(&mut self.here(command)))?;
        let mut example = self.here(&self.example);
        example.env("POSTRIDER_URL", &service.url).env("POSTRIDER_KEY", &service.key);
        println!("   $ {}", process::spelled(&example));
        let said = process::output(&mut example)?;
        let unsaid = EXAMPLE_SAYS.iter().find(|line| !said.lines().any(|said| said.ends_with(*line)));
        match unsaid {
            None => Ok(()),
            Some(line) => bail!("the example ended well and did not say {line}:\n{said}"),
        }
    }

    fn here(&self, command: &Command) -> Command {
        let mut copy = Command::new(command.get_program());
        copy.args(command.get_args()).current_dir(&self.folder);
        for (name, value) in command.get_envs() {
            value.map(|value| copy.env(name, value));
        }
        copy
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
