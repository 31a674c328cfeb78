//! How long files may be, without their tests: median 120 lines, nine of ten within 350, none above 600.
//!
//! Test folders, generated code and inline `#[cfg(test)]` modules do not count. Functions are clippy's.

use super::Violation;
use super::tree::{File, Tree};

const MEDIAN_MAX: usize = 120;
const NINE_OF_TEN_MAX: usize = 350;
const LINES_MAX: usize = 600;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let files = measure(tree);
    let mut violations: Vec<Violation> = files
        .iter()
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| too_long(path, *lines))
        .collect();
    for (name, share, max) in [("median", 50, MEDIAN_MAX), ("90th percentile", 90, NINE_OF_TEN_MAX)] {
        let lines = percentile(&files, share);
        if lines > max {
            violations.push(Violation {
                path: "Cargo.toml".to_owned(),
                line: 1,
                what: format!("the {name} of all files is {lines} lines, and {max} is the budget"),
                why: "files of one thought each are found and read faster",
                mend: format!("Split the longest: {}", longest(&files)),
            });
        }
    }
    violations
}

/// The figures in one phrase.
pub(crate) fn note(tree: &Tree) -> String {
    let files = measure(tree);
    let (median, nine_of_ten, most) =
        (percentile(&files, 50), percentile(&files, 90), percentile(&files, 100));
    format!("lines a file, tests aside: median {median}, 90th percentile {nine_of_ten}, longest {most}")
}

/// Lines and path of every file of the product, shortest first.
fn measure(tree: &Tree) -> Vec<(usize, &str)> {
    let files = tree.rust().filter(|file| !file.is_test());
    let mut files: Vec<(usize, &str)> = files.map(|file| (lines(file), file.path.as_str())).collect();
    files.sort_unstable();
    files
}

fn lines(file: &File) -> usize {
    file.product_lines(&file.text).len()
}

fn percentile(files: &[(usize, &str)], share: usize) -> usize {
    let rank = (files.len() * share).div_ceil(100).max(1);
    files.get(rank - 1).map_or(0, |(lines, _)| *lines)
}

fn longest(files: &[(usize, &str)]) -> String {
    let names: Vec<&str> = files.iter().rev().take(5).map(|(_, path)| *path).collect();
    names.join(", ")
}

fn too_long(path: &str, lines: usize) -> Violation {
    Violation {
        path: path.to_owned(),
        line: LINES_MAX + 1,
        what: format!("the file has {lines} lines without its tests, and {LINES_MAX} is the most"),
        why: "nobody reads a file that long before changing it",
        mend: "Split it along its verbs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{File, Tree, check, note};

    fn tree(lengths: &[usize]) -> Tree {
        let files = lengths.iter().enumerate().map(|(index, length)| {
            let tests = "#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n".repeat(50);
            File::new(format!("crates/a/src/f{index}.rs"), "fn a() {}\n".repeat(*length) + &tests)
        });
        Tree { packages: Vec::new(), files: files.collect() }
    }

    #[test]
    fn a_file_above_the_most_is_a_violation_and_tests_do_not_count() {
        assert!(check(&tree(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 600])).is_empty());
        let found = check(&tree(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 601]));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_median_or_a_tenth_above_the_budget_is_a_violation() {
        assert!(check(&tree(&[121]))[0].what.contains("median"));
        assert!(check(&tree(&[1, 1, 351]))[0].what.contains("90th percentile"));
        assert_eq!(
            note(&tree(&[10, 20, 30])),
            "lines a file, tests aside: median 20, 90th percentile 30, longest 30"
        );
    }
}
