//! The code that is generated from `proto/` and checked in with a client: made by the client's own pinned tools, and compared.
//!
//! Java makes its own by each build, and Rust has that of `crates/proto`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::language::{Client, Language};
use crate::{process, workspace};

/// The folder in the client that holds it, and whether a file there is generated.
type Place = (&'static str, fn(&str) -> bool);

fn place(language: Language) -> Option<Place> {
    match language {
        Language::Go => Some(("postriderv1", |_| true)),
        Language::Python => Some(("src/postrider/v1", |name| name.contains("_pb2"))),
        Language::Node => Some(("src/generated", |_| true)),
        Language::Java | Language::Rust => None,
    }
}

/// Fails where what is checked in is not what the tools make of the API's files now.
pub(super) fn check(language: Language, client: &Client, buf: &Path) -> anyhow::Result<()> {
    let Some((folder, is_generated)) = place(language) else { return Ok(()) };
    let fresh = files(&make(language, client, buf)?.join(folder), is_generated)?;
    let present = files(&client.folder.join(folder), is_generated)?;
    let differs = |path: &&PathBuf| fresh.get(*path) != present.get(*path);
    match fresh.keys().chain(present.keys()).find(differs) {
        None => Ok(()),
        Some(path) => bail!(
            "clients/{language}/{folder}/{} is stale: run `cargo xtask clients --generate`",
            path.display()
        ),
    }
}

/// Writes it anew, and removes what is no longer made.
pub(super) fn write(language: Language, client: &Client, buf: &Path) -> anyhow::Result<()> {
    let Some((folder, is_generated)) = place(language) else { return Ok(()) };
    let fresh = files(&make(language, client, buf)?.join(folder), is_generated)?;
    let target = client.folder.join(folder);
    for stale in files(&target, is_generated)?.keys().filter(|path| !fresh.contains_key(*path)) {
        fs::remove_file(target.join(stale))?;
    }
    for (path, content) in fresh {
        let path = target.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&target))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Runs the generator; gives the folder that stands for the client's own.
fn make(language: Language, client: &Client, buf: &Path) -> anyhow::Result<PathBuf> {
    let out = client.scratch.join("generated");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(out.join("src"))?;
    let mut command = if language == Language::Python {
        protoc(client, &out.join("src"))?
    } else {
        let mut command = Command::new(buf);
        command.arg("generate").arg("--output").arg(&out);
        command
    };
    process::run(command.current_dir(&client.folder))?;
    Ok(out)
}

/// The protoc that comes with grpcio-tools, in the version of the lock file.
fn protoc(client: &Client, out: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(client.scratch.join("venv/bin/python"));
    command.args(["-m", "grpc_tools.protoc", "-I", "../../proto"]);
    for kind in ["python", "pyi", "grpc_python"] {
        command.arg(format!("--{kind}_out={}", out.display()));
    }
    let files = workspace::files()?;
    let ours = files.iter().filter(|path| path.starts_with("proto/postrider/"));
    command.args(ours.map(|path| format!("../../{path}")));
    Ok(command)
}

/// The files below a folder, by their path from there.
fn files(folder: &Path, is_generated: fn(&str) -> bool) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("read {}", next.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "__pycache__" {
                folders.push(path);
            } else if path.is_file() && is_generated(&name) {
                let content = fs::read(&path)?;
                found.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), content);
            }
        }
    }
    Ok(found)
}
