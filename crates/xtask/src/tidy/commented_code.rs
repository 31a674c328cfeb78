//! No code in comments: git remembers it better, and a reader cannot tell what it is for.
//!
//! Told by form, and only where the form is plain: a line that begins as a statement or an item and ends as one, a
//! call or an assignment that ends in a semicolon, an attribute, or nothing but closing brackets. Documentation is free.

use super::Violation;
use super::tree::{File, Tree, numbered};

const OPENINGS: [&str; 18] = [
    "let ",
    "pub ",
    "pub(",
    "fn ",
    "async fn ",
    "use ",
    "mod ",
    "impl ",
    "struct ",
    "enum ",
    "const ",
    "static ",
    "if ",
    "for ",
    "while ",
    "match ",
    "return ",
    "} else",
];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let comments = file.plain_comments();
    let lines = numbered(&comments).filter(|(_, line)| {
        line.trim().strip_prefix("//").is_some_and(|text| is_code(text.trim_start_matches('/').trim()))
    });
    let violation = |line: usize| Violation {
        path: file.path.clone(),
        line,
        what: "code in a comment".to_owned(),
        why: "nobody can tell whether it should run, and git keeps the old one",
        mend: "Delete it, or say in words what a reader must know".to_owned(),
    };
    lines.map(|(line, _)| violation(line)).collect()
}

fn is_code(line: &str) -> bool {
    let ends_statement = line.ends_with(';');
    if OPENINGS.iter().any(|opening| line.starts_with(opening)) && (ends_statement || line.ends_with('{')) {
        return true;
    }
    if line.starts_with("#[") && line.ends_with(']') {
        return true;
    }
    if line.contains(['}', ')']) && line.chars().all(|character| "{}()[];,?".contains(character)) {
        return true;
    }
    ends_statement && begins_call_or_assignment(line)
}

/// A path or method chain without a blank, then `(` or ` = `, as no prose begins.
fn begins_call_or_assignment(line: &str) -> bool {
    let head = line.find(|c: char| !(c.is_alphanumeric() || "_.:!&*".contains(c))).unwrap_or(line.len());
    let rest = line.get(head..).unwrap_or_default();
    head > 0 && (rest.starts_with('(') || [" = ", " += ", " -= "].iter().any(|sign| rest.starts_with(sign)))
}

#[cfg(test)]
mod tests {
    use super::{File, of_file};

    #[test]
    fn code_in_a_comment_is_a_violation() {
        for text in [
            "// let a = 1;",
            "fn a() { // store.close();",
            "// if ready {",
            "// }",
            "// });",
            "//    self.count += 1;",
            "// #[derive(Debug)]",
            "// use std::fmt;",
        ] {
            assert_eq!(of_file(&File::new("a.rs", format!("{text}\n"))).len(), 1, "{text}");
        }
    }

    #[test]
    fn prose_is_none() {
        for text in [
            "// Why: the lease may be lost; the next holder resolves it.",
            "// for the caller's sake",
            "// 202 only (see `classify`);",
            "/// let a = 1;",
            "let a = \"// let b = 1;\";",
            "// if it is held, wait;  else go on",
            "// ---------------",
        ] {
            assert!(of_file(&File::new("a.rs", format!("{text}\n"))).is_empty(), "{text}");
        }
    }
}
