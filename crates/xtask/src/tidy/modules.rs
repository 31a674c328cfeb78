//! No file outside the module tree: what no `mod` reaches is not compiled, and rots unseen.
//!
//! From the first file of each target, every `mod name;` is followed, through inline modules, `#[path = "…"]` and
//! `include!("…")`; what is left over is a violation.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::tree::{File, Tree};

/// Programs of a workspace apart, which `every_target_of_cargo_fuzz_is_one_of_these` holds to its list.
const FUZZ_TARGETS: &str = "fuzz/fuzz_targets/";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let rust = tree.files.iter().filter(|file| file.is_rust());
    let files: BTreeMap<&str, &File> = rust.map(|file| (file.path.as_str(), file)).collect();
    let own = tree.packages.iter().flat_map(|package| package.targets.iter().map(String::as_str));
    let fuzzed = files.keys().copied().filter(|path| path.starts_with(FUZZ_TARGETS));
    let roots: BTreeSet<&str> = own.chain(fuzzed).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut next: Vec<String> = roots.iter().map(ToString::to_string).collect();
    while let Some(path) = next.pop() {
        let Some(file) = files.get(path.as_str()) else { continue };
        let is_root = roots.contains(path.as_str());
        if reached.insert(path) {
            next.extend(named_by(file, is_root));
        }
    }
    let stray = files.keys().filter(|path| !reached.contains(**path));
    let violation = |path: &str| Violation {
        path: path.to_owned(),
        line: 1,
        what: "no `mod` reaches this file".to_owned(),
        why: "it is not compiled, so nothing keeps it true",
        mend: "Declare it in its parent, or delete it".to_owned(),
    };
    stray.map(|path| violation(path)).collect()
}

/// The paths that a file's `mod` and `include!` may name; of the two spellings of a module, both.
fn named_by(file: &File, is_root: bool) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let own_folder = match name.trim_end_matches(".rs") {
        _ if is_root => folder.to_owned(),
        "mod" => folder.to_owned(),
        stem => join(folder, stem),
    };
    let code = file.code();
    let mut paths = Vec::new();
    let mut inline: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while let Some((word, begin)) = next_token(&code, &mut at) {
        match word {
            "{" => inline.push(None),
            "}" => drop(inline.pop()),
            "include" => {
                paths.extend(literal_after(&file.text, begin).map(|path| join(folder, path)));
            }
            "mod" => {
                let Some((module, _)) = next_token(&code, &mut at) else { break };
                match next_token(&code, &mut at) {
                    Some(("{", _)) => inline.push(Some(module.to_owned())),
                    Some((";", _)) => {
                        let within: Vec<&str> = inline.iter().flatten().map(String::as_str).collect();
                        let base = within.iter().fold(own_folder.clone(), |base, part| join(&base, part));
                        let given = path_attribute(&code, &file.text, begin);
                        let from = if within.is_empty() { folder } else { &base };
                        match given {
                            Some(path) => paths.push(join(from, path)),
                            None => paths.extend([
                                join(&base, &format!("{module}.rs")),
                                join(&base, &format!("{module}/mod.rs")),
                            ]),
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    paths
}

/// The next identifier or single sign of the code, and where it begins.
fn next_token<'code>(code: &'code str, at: &mut usize) -> Option<(&'code str, usize)> {
    let rest = code.get(*at..)?;
    let begin = *at + (rest.len() - rest.trim_start().len());
    let rest = code.get(begin..)?;
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let length = if word > 0 { word } else { rest.chars().next()?.len_utf8() };
    *at = begin + length;
    Some((code.get(begin..*at)?, begin))
}

/// What `#[path = "…"]` says, where that attribute stands before the item that begins at `item`.
fn path_attribute<'text>(code: &str, text: &'text str, item: usize) -> Option<&'text str> {
    let before = code.get(..item)?;
    let item_begins = before.rfind(['}', ';']).map_or(0, |at| at + 1);
    let attribute = item_begins + before.get(item_begins..)?.rfind("#[path")?;
    literal_after(text, attribute)
}

/// The inside of the first string literal after this place.
fn literal_after(text: &str, at: usize) -> Option<&str> {
    text.get(at..)?.split('"').nth(1)
}

/// Joins and resolves `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::tree::OwnPackage;
    use super::{File, Tree, check};

    #[test]
    fn a_file_that_no_module_declares_is_a_violation() {
        let package = OwnPackage {
            name: "a".to_owned(),
            manifest: "a/Cargo.toml".to_owned(),
            dependencies: Vec::new(),
            targets: vec!["a/src/lib.rs".to_owned()],
        };
        let files = [
            (
                "a/src/lib.rs",
                "mod one;\n// mod stray;\nmod deep {\n    mod two;\n}\n#[path = \"../x/odd.rs\"]\nmod odd;\n",
            ),
            ("a/src/one.rs", "pub(crate) mod three;\nmod four;\n"),
            ("a/src/one/three.rs", "include!(\"../made.rs\");\n"),
            ("a/src/one/four/mod.rs", ""),
            ("a/src/made.rs", ""),
            ("a/src/deep/two.rs", ""),
            ("a/x/odd.rs", ""),
            ("a/src/stray.rs", ""),
        ];
        let files = files.map(|(path, text)| File::new(path, text)).into_iter().collect();
        let found = check(&Tree { packages: vec![package], files });
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["a/src/stray.rs"]);
    }
}
