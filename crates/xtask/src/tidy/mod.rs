//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md that neither the compiler nor clippy can hold.
//!
//! One rule a file; each takes the tree as it lies on disk (what git tracks or would add) and gives its violations.
//! A violation is a sentence: where, what, why, and the mend. Rules are few and exact: one that cries wolf is worse
//! than none.

mod budgets;
mod commented_code;
mod edges;
mod headers;
mod lexer;
mod lints;
mod machine;
mod marks;
mod modules;
mod one_place;
mod tree;
mod words;

use std::fmt;

use anyhow::bail;

use self::tree::Tree;

/// One thing that is not as it must be.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
    why: &'static str,
    mend: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, why, mend } = self;
        write!(out, "{path}:{line}: {what}: {why}. {mend}.")
    }
}

/// Checks every rule; the note that a clean run gives, or an error after all violations were printed.
pub(crate) fn run() -> anyhow::Result<String> {
    let tree = Tree::read()?;
    let rules: [fn(&Tree) -> Vec<Violation>; 10] = [
        edges::check,
        lints::check,
        headers::check,
        budgets::check,
        words::check,
        marks::check,
        commented_code::check,
        machine::check,
        modules::check,
        one_place::check,
    ];
    let mut violations: Vec<Violation> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    for violation in &violations {
        println!("{violation}");
    }
    let note = format!(
        "tidy: {} files in {} packages; {}",
        tree.files.len(),
        tree.packages.len(),
        budgets::note(&tree)
    );
    if violations.is_empty() {
        return Ok(note);
    }
    println!("{note}");
    bail!("{} found by tidy, each printed above with its mend", count(violations.len(), "violation"))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
