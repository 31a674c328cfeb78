//! Who may depend on whom: design.md's table of crates and the invariants 1 to 3 of ARCHITECTURE.md.
//!
//! Dependencies of a build are held, those of tests are not. `testkit`, `simulation`, `crash-loop` and `xtask` are development
//! only: they may depend on anything, and nothing may depend on them.

use super::Violation;
use super::tree::{OwnPackage, Tree};

/// Our crates and the crates of ours that each may depend on.
const SIBLINGS: [(&str, &[&str]); 11] = [
    ("postrider-proto", &[]),
    ("postrider-domain", &[]),
    ("postrider-credential-store", &["postrider-domain"]),
    ("postrider-token-cache", &["postrider-domain"]),
    ("postrider-microsoft", &["postrider-domain"]),
    ("postrider-store", &["postrider-domain"]),
    ("postrider-dispatch", &["postrider-domain"]),
    ("postrider-sandbox", &[]),
    (
        "postrider-server",
        &[
            "postrider-proto",
            "postrider-domain",
            "postrider-credential-store",
            "postrider-token-cache",
            "postrider-microsoft",
            "postrider-store",
            "postrider-dispatch",
        ],
    ),
    ("postrider-client", &["postrider-proto"]),
    // The command line is also a client of the API and prints the catalogue: hence the types of both.
    ("postrider", &["postrider-server", "postrider-sandbox", "postrider-proto", "postrider-domain"]),
];

const DEVELOPMENT: [&str; 5] =
    ["postrider-testkit", "postrider-simulation", "postrider-crash-loop", "postrider-bench", "xtask"];

/// Libraries, by name or by the beginning of a family's names, and the only crates that may depend on each.
const OWNERS: [(&str, &[&str]); 6] = [
    ("reqwest", &["postrider-microsoft", "postrider-server", "postrider-credential-store"]),
    ("sqlx", &["postrider-store"]),
    ("vaultrs", &["postrider-credential-store"]),
    ("rustify", &["postrider-credential-store"]),
    ("moka", &["postrider-token-cache"]),
    ("tonic", &["postrider-server", "postrider-proto", "postrider-client", "postrider"]),
];

/// What does I/O or needs a runtime has no place under the nouns.
const NOT_IN_DOMAIN: [&str; 1] = ["tokio"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.packages.iter().flat_map(|package| of_package(package, tree.text(&package.manifest))).collect()
}

fn of_package(package: &OwnPackage, manifest: &str) -> Vec<Violation> {
    if DEVELOPMENT.contains(&package.name.as_str()) {
        return Vec::new();
    }
    let violation = |what: String, why: &'static str, mend: String, line: usize| Violation {
        path: package.manifest.clone(),
        line,
        what,
        why,
        mend,
    };
    let Some((_, siblings)) = SIBLINGS.iter().find(|(name, _)| *name == package.name) else {
        let what = format!("nothing says what {} may depend on", package.name);
        let mend = "Add it to SIBLINGS in crates/xtask/src/tidy/edges.rs and to the table in ARCHITECTURE.md"
            .to_owned();
        return vec![violation(what, "each crate has one reason to change and known neighbours", mend, 1)];
    };
    let mut violations = Vec::new();
    for dependency in &package.dependencies {
        let Some((why, mend)) = forbidden(&package.name, siblings, dependency) else { continue };
        let line =
            manifest.lines().position(|line| line.starts_with(dependency.as_str())).map_or(1, |at| at + 1);
        violations.push(violation(format!("{} depends on {dependency}", package.name), why, mend, line));
    }
    violations
}

/// Why `name` may not depend on `dependency`, and what to do instead.
fn forbidden(name: &str, siblings: &[&str], dependency: &str) -> Option<(&'static str, String)> {
    if dependency.starts_with("postrider") || dependency == "xtask" {
        let may = if siblings.is_empty() { "none of ours".to_owned() } else { siblings.join(", ") };
        return (!siblings.contains(&dependency)).then(|| {
            (
                "it is not in the table of allowed edges",
                format!("It may depend on {may}: declare a port and wire it in server"),
            )
        });
    }
    if name == "postrider-domain" && NOT_IN_DOMAIN.contains(&dependency) {
        return Some((
            "domain does no I/O and runs nothing",
            "Move the code that needs it to the crate that acts".to_owned(),
        ));
    }
    let (_, owners) = OWNERS.iter().find(|(library, _)| {
        dependency == *library || dependency.strip_prefix(library).is_some_and(|rest| rest.starts_with('-'))
    })?;
    (!owners.contains(&name)).then(|| {
        ("each outside world has one crate that knows it", format!("Leave it to {}", owners.join(" or ")))
    })
}

#[cfg(test)]
mod tests {
    use super::{OwnPackage, of_package};

    fn found(name: &str, dependencies: &[&str]) -> Vec<String> {
        let package = OwnPackage {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
            targets: Vec::new(),
        };
        of_package(&package, "[dependencies]\nsqlx = \"1\"\n")
            .iter()
            .map(|violation| violation.what.clone())
            .collect()
    }

    #[test]
    fn an_edge_outside_the_table_is_a_violation() {
        let none: [&str; 0] = [];
        assert_eq!(found("postrider-store", &["postrider-domain", "sqlx"]), none);
        assert_eq!(found("postrider-dispatch", &["sqlx"]), ["postrider-dispatch depends on sqlx"]);
        assert_eq!(
            found("postrider-dispatch", &["postrider-store"]),
            ["postrider-dispatch depends on postrider-store"]
        );
        assert_eq!(
            found("postrider-server", &["postrider-sandbox"]),
            ["postrider-server depends on postrider-sandbox"]
        );
        assert_eq!(found("postrider-domain", &["tokio"]), ["postrider-domain depends on tokio"]);
        assert_eq!(found("postrider-store", &["tonic-types"]), ["postrider-store depends on tonic-types"]);
        assert_eq!(
            found("postrider-server", &["postrider-testkit"]),
            ["postrider-server depends on postrider-testkit"]
        );
    }

    #[test]
    fn a_crate_that_nobody_placed_is_a_violation() {
        assert_eq!(found("postrider-extra", &[]), ["nothing says what postrider-extra may depend on"]);
    }

    #[test]
    fn development_crates_are_free() {
        assert!(found("postrider-testkit", &["reqwest", "tonic"]).is_empty());
    }
}
