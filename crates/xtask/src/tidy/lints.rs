//! Every package takes the workspace's lints: cargo does not say so when one forgets.

use super::Violation;
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests = tree.packages.iter().map(|package| package.manifest.as_str());
    manifests.filter(|path| !takes_lints(tree.text(path))).map(violation).collect()
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
    let mut table = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            table = line;
        }
        let setting: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        table == "[lints]" && setting == "workspace=true"
    })
}

#[cfg(test)]
mod tests {
    use super::takes_lints;

    #[test]
    fn the_table_must_be_there_and_say_workspace() {
        assert!(takes_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!takes_lints("[package]\nname = \"a\"\n"));
        assert!(!takes_lints("[lints]\n\n[other]\nworkspace = true\n"));
    }
}
