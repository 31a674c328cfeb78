//! Every `lib.rs`, and every file above 80 lines, begins with what it is and why.

use super::Violation;
use super::tree::{File, Tree};

const LINES_WITHOUT_HEADER_MAX: usize = 80;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter_map(of_file).collect()
}

fn of_file(file: &File) -> Option<Violation> {
    let lines = file.text.lines().count();
    let needs_one = file.path.ends_with("src/lib.rs") || lines > LINES_WITHOUT_HEADER_MAX;
    let has_one = file.text.trim_start().starts_with("//!");
    (needs_one && !has_one).then(|| Violation {
        path: file.path.clone(),
        line: 1,
        what: format!("a file of {lines} lines has no header"),
        why: "a newcomer must learn from its first lines what it decides or holds, and why",
        mend: "Begin it with `//!`: one sentence, then its rules, and where to read first".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{File, of_file};

    #[test]
    fn a_long_file_and_every_lib_need_a_header() {
        let long = "fn a() {}\n".repeat(81);
        assert!(of_file(&File::new("crates/a/src/b.rs", long.clone())).is_some());
        assert!(of_file(&File::new("crates/a/src/b.rs", format!("//! Why.\n{long}"))).is_none());
        assert!(of_file(&File::new("crates/a/src/b.rs", "fn a() {}\n")).is_none());
        assert!(of_file(&File::new("crates/a/src/lib.rs", "mod a;\n")).is_some());
    }
}
