//! The five programs that the tests need and cargo does not bring: found where they are, else installed.
//!
//! Rules
//! - A tool fits only in its pinned version: a lint or a licence rule that moved by itself would break a build that
//!   nobody touched. Of Vault, which is a server as users have it, any version fits that is on PATH.
//! - Looked for in `POSTRIDER_TOOLS`, then on PATH, then in `target/tools`; what is missing is built into
//!   `target/tools` by the ordinary package clients, once.
//! - Nothing outside `target` is changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{process, workspace};

/// A program, the version we rely on, and how to get it.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    source: Source,
}

enum Source {
    /// A package of a Go module, with the linker's flags that give it its version.
    Go { package: &'static str, flags: &'static str },
    /// A module of ours with one file, which is the program of another module.
    GoMain { go_mod: &'static str, main_go: &'static str, flags: &'static [&'static str] },
    /// A crate with a program in it.
    Crate,
}

pub(crate) const BUF: Tool = Tool {
    name: "buf",
    version: "1.75.0",
    source: Source::Go { package: "github.com/bufbuild/buf/cmd/buf", flags: "-s -w" },
};

pub(crate) const GRPCURL: Tool = Tool {
    name: "grpcurl",
    version: "1.9.4",
    source: Source::Go {
        package: "github.com/fullstorydev/grpcurl/cmd/grpcurl",
        flags: "-s -w -X main.version=v1.9.4",
    },
};

pub(crate) const VAULT: Tool = Tool {
    name: "vault",
    version: "1.21.2",
    source: Source::GoMain {
        go_mod: include_str!("../vault/go.mod"),
        main_go: include_str!("../vault/main.go"),
        flags: &["-mod=mod", "-tags", "minimal", "-trimpath", "-ldflags=-s -w"],
    },
};

pub(crate) const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", source: Source::Crate };

pub(crate) const CARGO_CYCLONEDX: Tool =
    Tool { name: "cargo-cyclonedx", version: "0.5.9", source: Source::Crate };

/// Where tools are looked for, and where they are put.
pub(crate) struct Toolbox {
    given: Option<PathBuf>,
    own: PathBuf,
}

impl Toolbox {
    /// `given` is a folder that somebody filled before, to save the time.
    pub(crate) fn new(given: Option<PathBuf>) -> Self {
        Self { given, own: workspace::root().join("target/tools") }
    }

    /// All of them; says of each where it is.
    pub(crate) fn all(&self) -> anyhow::Result<()> {
        let mut missing = Vec::new();
        for tool in [&BUF, &GRPCURL, &CARGO_DENY, &CARGO_CYCLONEDX, &VAULT] {
            match self.path(tool) {
                Ok(path) => println!("   {} {}: {}", tool.name, tool.version, path.display()),
                Err(error) => missing.push(format!("{error:#}")),
            }
        }
        if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("; ")) }
    }

    /// The tool's path; installs it when no copy of the right version is found.
    pub(crate) fn path(&self, tool: &Tool) -> anyhow::Result<PathBuf> {
        let file = format!("{}{}", tool.name, std::env::consts::EXE_SUFFIX);
        let given = self.given.iter().flat_map(|folder| [folder.join(&file), folder.join("bin").join(&file)]);
        let own = self.own.join("bin").join(&file);
        let found = given.chain(process::on_path(&file)).chain([own.clone()]).find(|path| tool.is(path));
        if let Some(path) = found {
            return std::path::absolute(&path).with_context(|| format!("the place of {}", path.display()));
        }
        println!("   {} {} is not here; it is built into target/tools, this once", tool.name, tool.version);
        tool.install(&self.own).with_context(|| format!("{} {} is needed", tool.name, tool.version))?;
        if !tool.is(&own) {
            bail!("{} was built but does not say that it is {}", own.display(), tool.version);
        }
        Ok(own)
    }
}

impl Tool {
    /// Whether the file is this tool in this version: by its own word, or else by what Go wrote into it.
    fn is(&self, path: &Path) -> bool {
        if !path.is_file() {
            return false;
        }
        let version = said(Command::new(path).args(self.asked())).unwrap_or_default();
        if let Source::GoMain { .. } = self.source {
            return version.starts_with("Vault v");
        }
        if says(&version, self.version) {
            return true;
        }
        let Source::Go { .. } = self.source else { return false };
        said(Command::new("go").args(["version", "-m"]).arg(path))
            .and_then(|text| {
                text.lines().find(|line| line.trim_start().starts_with("mod")).map(str::to_owned)
            })
            .is_some_and(|line| says(&line, self.version))
    }

    /// What it is asked for its version.
    fn asked(&self) -> &'static [&'static str] {
        // Why: it is but a subcommand of cargo's, and knows no arguments of its own.
        if self.name == CARGO_CYCLONEDX.name { &["cyclonedx", "--version"] } else { &["--version"] }
    }

    fn install(&self, folder: &Path) -> anyhow::Result<()> {
        match self.source {
            Source::Go { package, flags } => {
                let target = format!("{package}@v{}", self.version);
                let mut command = Command::new("go");
                command.args(["install", "-trimpath", "-ldflags", flags, &target]);
                command.env("GOBIN", folder.join("bin"));
                process::run(&mut command).context(
                    "it is built by Go 1.21 or newer, which must be on PATH and reach its module proxy",
                )
            }
            Source::GoMain { go_mod, main_go, flags } => {
                let module = folder.join("build").join(self.name);
                std::fs::create_dir_all(&module).with_context(|| format!("create {}", module.display()))?;
                std::fs::write(module.join("go.mod"), go_mod)?;
                std::fs::write(module.join("main.go"), main_go)?;
                let mut command = Command::new("go");
                command.arg("build").args(flags).arg("-o").arg(folder.join("bin").join(self.name)).arg(".");
                process::run(command.current_dir(&module)).context(
                    "it is built by Go 1.21 or newer, which must be on PATH and reach its module proxy; it takes some minutes",
                )
            }
            Source::Crate => {
                let mut command =
                    process::cargo(&["install", self.name, "--version", self.version, "--locked"]);
                // Its default features only bring a second way to fetch what git fetches too.
                command.arg("--no-default-features").arg("--quiet");
                command.arg("--root").arg(folder).arg("--target-dir").arg(folder.join("build"));
                process::run(&mut command).context("it is built by cargo, which must reach its registry")
            }
        }
    }
}

/// Both outputs of a program that ended well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

/// Whether a text holds this version as a word of its own, with or without a leading `v`.
fn says(text: &str, version: &str) -> bool {
    text.split_whitespace().any(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn only_the_very_version_fits() {
        assert!(says("grpcurl v1.9.4\n", "1.9.4"));
        assert!(says("1.75.0", "1.75.0"));
        assert!(!says("cargo-deny 0.20.21", "0.20.2"));
        assert!(!says("dev build <no version set>", "1.9.4"));
    }
}
