//! `cargo xtask sbom`: what the program is made of, as CycloneDX, for whoever must know whether it holds some crate.
//!
//! For the platform it runs on. The same sources give the same file: its time is that of the commit, and it has no serial number.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::{process, workspace};

/// What the tool writes beside each manifest of the workspace.
const BESIDE_EACH: &str = "postrider-sbom";

#[derive(Deserialize)]
struct Bom {
    #[serde(rename = "bomFormat")]
    format: String,
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    version: String,
    purl: Option<String>,
}

/// Writes `target/sbom/postrider.cdx.json` and says what is in it.
pub(crate) fn run(cargo_cyclonedx: &Path) -> anyhow::Result<String> {
    let made = make(cargo_cyclonedx);
    // Of the whole workspace only the program's is wanted.
    let file = collect()?;
    made?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let bom: Bom = serde_yaml_ng::from_str(&text).with_context(|| format!("{} is read", file.display()))?;
    check(&bom)?;
    Ok(format!("{}: {} components", file.display(), bom.components.len()))
}

fn make(cargo_cyclonedx: &Path) -> anyhow::Result<()> {
    let mut time = Command::new("git");
    let time = process::output(time.args(["log", "-1", "--format=%ct"]).current_dir(workspace::root()))?;
    let mut command = Command::new(cargo_cyclonedx);
    command.args(["cyclonedx", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]);
    command.args(["--override-filename", BESIDE_EACH]).current_dir(workspace::root());
    process::run(command.env("SOURCE_DATE_EPOCH", time.trim()))
}

/// Takes the files away from beside the manifests, and keeps the root's.
fn collect() -> anyhow::Result<PathBuf> {
    let (metadata, root) = (workspace::metadata()?, workspace::root());
    let folder = PathBuf::from(&metadata.target_directory).join("sbom");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let kept = folder.join("postrider.cdx.json");
    for package in &metadata.packages {
        let beside = package.manifest_path.with_file_name(format!("{BESIDE_EACH}.json"));
        if package.manifest_path.as_std_path() == root.join("Cargo.toml") {
            std::fs::copy(&beside, &kept).with_context(|| format!("no {beside} was written"))?;
        }
        if beside.exists() {
            std::fs::remove_file(&beside).with_context(|| format!("remove {beside}"))?;
        }
    }
    Ok(kept)
}

/// All that the lock file has of what the program is linked from is there, by a name that others know.
fn check(bom: &Bom) -> anyhow::Result<()> {
    if bom.format != "CycloneDX" {
        bail!("the file is no CycloneDX but {:?}", bom.format);
    }
    let listed: BTreeSet<_> =
        bom.components.iter().map(|one| format!("{} v{}", one.name, one.version)).collect();
    let nameless: Vec<_> =
        bom.components.iter().filter(|one| one.purl.is_none()).map(|one| &one.name).collect();
    let mut tree = process::cargo(&["tree", "--locked", "--package", "postrider", "--edges", "normal"]);
    let tree = process::output(tree.args(["--prefix", "none", "--no-dedupe"]))?;
    let linked = tree.lines().filter_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    });
    let linked = linked.filter(|crate_| !crate_.starts_with("postrider "));
    let missing: BTreeSet<_> = linked.filter(|crate_| !listed.contains(crate_)).collect();
    if !missing.is_empty() || !nameless.is_empty() {
        bail!("not in the bill of materials: {missing:?}; without a package URL: {nameless:?}");
    }
    Ok(())
}
