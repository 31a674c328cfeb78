//! Microsoft's own clients, which the tests run against the sandbox: MSAL for Python in a virtual environment, MSAL for
//! Node and the Graph client for JavaScript in a folder of packages, both below `target/tools`.
//!
//! Rules
//! - The ordinary package clients install them, from lock files that hold hashes and no address of a registry.
//! - Once: what was installed carries a copy of its lock file, and is made anew where that is another.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::{process, workspace};

const REQUIREMENTS: &str = "requirements.txt";
const LOCK: &str = "package-lock.json";

/// Where the clients are.
pub(crate) struct Clients {
    /// The interpreter of the virtual environment.
    pub(crate) python: PathBuf,
    /// The folder with `node_modules`.
    pub(crate) node: PathBuf,
}

/// Installs what is missing.
pub(crate) fn ready() -> anyhow::Result<Clients> {
    let (given, own) =
        (workspace::root().join("tests/clients"), workspace::root().join("target/tools/clients"));
    let python = python(&given.join("python"), &own.join("python")).context(
        "MSAL for Python needs python3 with its venv module (Debian: python3-venv), and its package index",
    )?;
    let node = node(&given.join("node"), &own.join("node"))
        .context("MSAL for Node needs node 20 or newer with npm, and its package registry")?;
    println!("   python: {}", python.display());
    println!("   node: {}", node.display());
    Ok(Clients { python, node })
}

fn python(given: &Path, own: &Path) -> anyhow::Result<PathBuf> {
    let interpreter = own.join("bin/python");
    let lock = given.join(REQUIREMENTS);
    if !is_installed(&lock, &own.join(REQUIREMENTS)) {
        clear(own)?;
        process::run(Command::new("python3").args(["-m", "venv"]).arg(own))?;
        let mut install = Command::new(&interpreter);
        install.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"]).arg(&lock);
        process::run(&mut install)?;
        copy(&lock, &own.join(REQUIREMENTS))?;
    }
    Ok(interpreter)
}

fn node(given: &Path, own: &Path) -> anyhow::Result<PathBuf> {
    // Written last by npm: what broke off before is done again.
    let done = own.join("done").join(LOCK);
    if !is_installed(&given.join(LOCK), &done) {
        clear(own)?;
        std::fs::create_dir_all(own.join("done")).context("a folder for the packages")?;
        for name in ["package.json", LOCK] {
            copy(&given.join(name), &own.join(name))?;
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        process::run(install.current_dir(own))?;
        copy(&given.join(LOCK), &done)?;
    }
    Ok(own.to_owned())
}

fn is_installed(lock: &Path, copy: &Path) -> bool {
    let read = |path: &Path| std::fs::read(path).ok();
    read(copy).is_some_and(|copy| Some(copy) == read(lock))
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
