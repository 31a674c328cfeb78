//! `cargo xtask release`: the program as it is handed on. The same commit makes the same bytes, in whichever folder it is built.
//!
//! Rules
//! - No path of the machine is in it: our sources lie in `/postrider`, those of crates in `/cargo`.
//! - What a compiler would ask the clock for is the commit's time.
//! - It has a target folder of its own, so that other builds, without these flags, are not made anew after it.
//!
//! What is left are the compilers and the linker: of Rust and of C (for aws-lc and SQLite), each must be of the same version. Their versions
//! are said beside the hash.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{process, workspace};

/// Of the release build, in the workspace.
const TARGET: &str = "target/reproducible";
/// The clone that is built beside it, in that folder.
const ELSEWHERE: &str = "elsewhere";

/// Builds it and says its SHA-256; `twice`: also in a clone elsewhere, and fails where the two differ.
pub(crate) fn run(twice: bool) -> anyhow::Result<()> {
    let root = workspace::root();
    for compiler in ["rustc", "cc"] {
        let said = process::output(Command::new(compiler).arg("--version").current_dir(&root))?;
        println!("{}", said.lines().next().unwrap_or_default());
    }
    let here = build(&root)?;
    if !twice {
        return Ok(());
    }
    // Why after the build: it takes minutes, in which somebody may have edited.
    if !git(&root, &["status", "--porcelain"])?.is_empty() {
        bail!("there are changes that are not committed, which the clone to compare with would not have");
    }
    let elsewhere = root.join(TARGET).join(ELSEWHERE);
    if elsewhere.exists() {
        std::fs::remove_dir_all(&elsewhere).with_context(|| format!("remove {}", elsewhere.display()))?;
    }
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(&root).arg(&elsewhere))?;
    let there = build(&elsewhere)?;
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("read {}", path.display()));
    if read(&here)? != read(&there)? {
        bail!("the two are not the same: `diffoscope` shows where");
    }
    println!("the same, byte by byte");
    Ok(())
}

fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let cargo_home = cargo_home()?;
    let told = [(root, "/postrider"), (&cargo_home, "/cargo")];
    let told = told.map(|(folder, name)| format!("{}={name}", folder.display()));
    let rust = told.each_ref().map(|map| format!("--remap-path-prefix={map}")).join("\x1f");
    let c = told.map(|map| format!("-ffile-prefix-map={map}")).join(" ");
    let target = root.join(TARGET);
    let mut command = process::cargo(&["build", "--locked", "--release", "--package", "postrider"]);
    command.args(["--bin", "postrider", "--target-dir"]).arg(&target).current_dir(root);
    command.env("CARGO_ENCODED_RUSTFLAGS", rust).env("CFLAGS", c);
    command.env("SOURCE_DATE_EPOCH", git(root, &["log", "-1", "--format=%ct"])?);
    process::run(&mut command)?;
    let program = target.join("release/postrider");
    print!("{}", process::output(Command::new("sha256sum").arg(&program))?);
    Ok(program)
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let said = process::output(Command::new("git").args(arguments).current_dir(root))?;
    Ok(said.trim().to_owned())
}

/// Where cargo keeps the sources of crates.
fn cargo_home() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    own.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("there is no home folder")
}
