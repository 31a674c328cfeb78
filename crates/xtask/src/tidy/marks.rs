//! Nothing unfinished is checked in: no macro that stands for missing code, no test that does not run, no note to
//! oneself that nobody else will find.

use super::Violation;
use super::tree::{File, Tree, numbered, whole_word};

/// Looked for in code, where strings and comments do not count.
const IN_CODE: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Looked for in comments, as words.
const IN_COMMENTS: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let violation = |line: usize, mark: &str| Violation {
        path: file.path.clone(),
        line,
        what: format!("`{mark}`"),
        why: "what is checked in is finished, and every test runs",
        mend: "Finish it, or leave it out and file an issue".to_owned(),
    };
    let (code, comments) = (file.code(), file.comments());
    let in_code = numbered(&code).flat_map(|(line, text)| {
        let found = IN_CODE.iter().filter(|mark| begins_word(text, mark));
        found.map(|mark| violation(line, mark)).collect::<Vec<_>>()
    });
    let in_comments = numbered(&comments).flat_map(|(line, text)| {
        let found = IN_COMMENTS.iter().filter(|mark| whole_word(text, mark).is_some());
        found.map(|mark| violation(line, mark)).collect::<Vec<_>>()
    });
    in_code.chain(in_comments).collect()
}

/// Whether the mark stands in the line with no letter before it.
fn begins_word(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || character == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::{File, IN_COMMENTS, of_file};

    #[test]
    fn a_mark_of_unfinished_work_is_a_violation() {
        for text in ["fn a() { todo!() }", "dbg!(1);", "#[ignore = \"later\"]", "#[ignore]"] {
            assert_eq!(of_file(&File::new("a.rs", text)).len(), 1, "{text}");
        }
        for mark in IN_COMMENTS {
            assert_eq!(of_file(&File::new("a.rs", format!("// {mark}: later\n"))).len(), 1);
        }
    }

    #[test]
    fn a_string_or_a_longer_word_is_no_mark() {
        assert!(of_file(&File::new("a.rs", "let a = \"todo!\"; my_dbg!(a); // XXXX dbg!")).is_empty());
    }
}
