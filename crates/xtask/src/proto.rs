//! `cargo xtask proto`: writes the generated types and the descriptor set anew, or with `check` only compares them.

#[path = "../../proto/tests/support/generate.rs"]
mod generate;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Writes what differs into `crates/proto/src/generated`; with `check` it fails instead.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let scratch = root.join("target/xtask-proto");
    fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;
    let files = generate::generate(&root.join("proto"), &scratch).map_err(anyhow::Error::from_boxed)?;
    let folder = root.join("crates/proto/src/generated");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for file in files {
        let path = folder.join(file.name);
        if fs::read(&path).is_ok_and(|old| old == file.content) {
            continue;
        }
        if check {
            bail!("crates/proto/src/generated/{} is stale: run `cargo xtask proto`", file.name);
        }
        fs::write(&path, &file.content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
