//! Where the workspace lies, and what git and cargo say is in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// The folder of the root package.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Our own packages with their dependencies as written, not resolved.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.current_dir(root()).no_deps();
    command.exec().context("`cargo metadata` gave no answer")
}

/// The paths, from the root, of all files that git tracks or would add, and that are there.
pub(crate) fn files() -> anyhow::Result<Vec<String>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(root());
    let list = process::output(&mut command)
        .context("the list of files comes from git: run this in a clone, with git installed")?;
    let mut files: Vec<String> =
        list.split('\0').filter(|path| root().join(path).is_file()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// The program as users have it, built where it is stale.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    process::run(&mut process::cargo(&["build", "--locked", "--quiet", "--bin", "postrider"]))?;
    built_program()
}

/// The same as the tests have just built it.
pub(crate) fn built_program() -> anyhow::Result<PathBuf> {
    let name = format!("postrider{}", std::env::consts::EXE_SUFFIX);
    Ok(PathBuf::from(metadata()?.target_directory).join("debug").join(name))
}
