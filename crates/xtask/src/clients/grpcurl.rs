//! `docs/grpcurl.md`: the calls of the document, run as they stand there, and no RPC without one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use super::service::Service;
use crate::{process, workspace};

const DOCUMENT: &str = "docs/grpcurl.md";

/// The address in the document, which is the default, stands for the service's own.
const ADDRESS: &str = "127.0.0.1:50051";

pub(super) fn run(service: &Service, grpcurl: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(workspace::root().join(DOCUMENT))?;
    let script = blocks(&text);
    for rpc in rpcs()? {
        if !script.contains(&format!("/{rpc} ")) && !script.contains(&format!("/{rpc}\n")) {
            bail!("{DOCUMENT} has no call of {rpc}");
        }
    }
    let folder = service.folder.join("grpcurl");
    fs::create_dir_all(&folder)?;
    symlink(service.data(), folder.join("postrider-sandbox")).context("link the data directory")?;
    fs::write(folder.join("script.sh"), script.replace(ADDRESS, service.address()))?;
    let tools = grpcurl.parent().context("grpcurl lies in no folder")?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path)))?;
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-o", "pipefail", "script.sh"]).env("PATH", path).current_dir(&folder);
    println!("   $ {} (from {DOCUMENT})", process::spelled(&bash));
    let said = process::output(&mut bash).context(DOCUMENT)?;
    match ["MESSAGE_STATE_SENT", "MESSAGE_STATE_CANCELLED", "TEST_STEP_PERMISSION"]
        .iter()
        .find(|word| !said.contains(**word))
    {
        None => Ok(()),
        Some(word) => bail!("the calls of {DOCUMENT} ended well and did not say {word}"),
    }
}

/// What stands between "```sh" and "```".
fn blocks(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block).collect()
}

fn rpcs() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for path in workspace::files()?.iter().filter(|path| path.starts_with("proto/postrider/")) {
        let text = fs::read_to_string(workspace::root().join(path))?;
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
        names.extend(lines.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{blocks, rpcs};

    #[test]
    fn only_what_is_for_the_shell_is_run() {
        assert_eq!(blocks("a\n```sh\none\n```\n```text\ntwo\n```\n```sh\nthree\n```\n"), "one\nthree\n");
    }

    #[test]
    fn every_rpc_is_known() {
        let rpcs = rpcs().unwrap();
        assert!(rpcs.len() >= 19 && rpcs.iter().any(|rpc| rpc == "WatchMessages"), "{rpcs:?}");
    }
}
