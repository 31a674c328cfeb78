//! Nothing in the repository knows the machine it was written on, nor where packages come from there.
//!
//! Cargo.lock is cargo's own and names its registry; every other text file is held.

use super::Violation;
use super::tree::{Tree, numbered};

// In pieces, so that this file does not find itself.
const PATHS: [&str; 3] = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("repo1.maven", ".org"),
    concat!("repo.maven.apache", ".org"),
    concat!("deb.debian", ".org"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let files = tree.files.iter().filter(|file| file.path != "Cargo.lock");
    files.flat_map(|file| of_text(&file.path, &file.text)).collect()
}

fn of_text(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (line, content) in numbered(text) {
        let violation = |what: String, why: &'static str, mend: &str| Violation {
            path: path.to_owned(),
            line,
            what,
            why,
            mend: mend.to_owned(),
        };
        if let Some(found) = PATHS.iter().find(|found| is_absolute(content, found)) {
            violations.push(violation(
                format!("the path `{found}…`"),
                "it is right on one machine only",
                "Make it relative, or a parameter",
            ));
        }
        if let Some(found) = REGISTRIES.iter().find(|found| content.contains(**found)) {
            violations.push(violation(
                format!("the host {found}"),
                "where packages come from is the machine's setting",
                "Name the package, and leave the place to its ordinary client",
            ));
        }
    }
    violations
}

/// Whether the line has this path from the root of the file system, and not as the middle of another.
fn is_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "_-.~/}>)*$".contains(character))
    })
}

#[cfg(test)]
mod tests {
    use super::{PATHS, REGISTRIES, of_text};

    #[test]
    fn a_path_of_one_machine_or_the_host_of_a_registry_is_a_violation() {
        for path in PATHS {
            assert_eq!(of_text("a.md", &format!("see `{path}a`")).len(), 1);
            assert!(of_text("a.md", &format!("see docs{path}a")).is_empty());
        }
        for host in REGISTRIES {
            assert_eq!(of_text("a.sh", &format!("get index.{host}/a")).len(), 1);
        }
    }
}
