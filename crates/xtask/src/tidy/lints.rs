//! Every package takes the workspace's lints, among which `unsafe` is forbidden: cargo does not say so when one forgets.

use super::Violation;
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests = tree.packages.iter().map(|package| package.manifest.as_str());
    let mut violations: Vec<_> =
        manifests.filter(|path| !takes_lints(tree.text(path))).map(violation).collect();
    if !forbids_unsafe(tree.text("Cargo.toml")) {
        violations.push(Violation {
            path: "Cargo.toml".to_owned(),
            line: 1,
            what: "the workspace's lints do not forbid `unsafe`".to_owned(),
            why: "memory is safe because no crate of ours can make it otherwise",
            mend: "Put `unsafe_code = \"forbid\"` into `[workspace.lints.rust]`".to_owned(),
        });
    }
    violations
}

fn violation(path: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        line: 1,
        what: "this package does not take the workspace's lints".to_owned(),
        why: "what clippy forbids would be allowed here",
        mend: "Add `[lints]` with `workspace = true`".to_owned(),
    }
}

fn takes_lints(manifest: &str) -> bool {
    has(manifest, "[lints]", "workspace=true")
}

/// Which no `allow` in a source can lift.
fn forbids_unsafe(manifest: &str) -> bool {
    has(manifest, "[workspace.lints.rust]", "unsafe_code=\"forbid\"")
}

fn has(manifest: &str, wanted_table: &str, wanted: &str) -> bool {
    let mut table = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            table = line;
        }
        let setting: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        table == wanted_table && setting == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::{forbids_unsafe, takes_lints};

    #[test]
    fn the_table_must_be_there_and_say_workspace() {
        assert!(takes_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!takes_lints("[package]\nname = \"a\"\n"));
        assert!(!takes_lints("[lints]\n\n[other]\nworkspace = true\n"));
    }

    #[test]
    fn unsafe_is_forbidden_and_not_merely_denied() {
        assert!(forbids_unsafe("[workspace.lints.rust]\nunsafe_code = \"forbid\" # no\n"));
        assert!(!forbids_unsafe("[workspace.lints.rust]\nunsafe_code = \"deny\"\n"));
        assert!(!forbids_unsafe("[workspace.lints.clippy]\nunsafe_code = \"forbid\"\n"));
    }
}
