//! What the rules look at: our packages, and every text file of ours with its parts told apart.

use cargo_metadata::{DependencyKind, Package};

use super::lexer::{self, Kind};
use crate::workspace;

/// The project as it lies on disk.
pub(crate) struct Tree {
    pub(crate) packages: Vec<OwnPackage>,
    pub(crate) files: Vec<File>,
}

/// One of our own packages, as far as the rules ask.
pub(crate) struct OwnPackage {
    pub(crate) name: String,
    /// The path of its Cargo.toml.
    pub(crate) manifest: String,
    /// The packages it depends on when it is built, not when it is tested.
    pub(crate) dependencies: Vec<String>,
    /// The paths of its targets' first files: `src/lib.rs`, `src/main.rs`, `tests/it/main.rs`, `build.rs`.
    pub(crate) targets: Vec<String>,
}

/// A text file and, for Rust, what each of its bytes is.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    kinds: Vec<Kind>,
}

impl Tree {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let root = workspace::root();
        // A file that is no UTF-8, such as the descriptor set, is not text.
        let files = workspace::files()?
            .into_iter()
            .filter_map(|path| {
                std::fs::read_to_string(root.join(&path)).ok().map(|text| File::new(path, text))
            })
            .collect();
        let packages = workspace::metadata()?.packages.iter().map(OwnPackage::new).collect();
        Ok(Self { packages, files })
    }

    /// The text of a file, empty where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
    }

    /// Our hand-written Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust() && !file.is_generated())
    }
}

impl OwnPackage {
    fn new(package: &Package) -> Self {
        let root = workspace::root();
        let from_root = |path: &cargo_metadata::camino::Utf8Path| {
            path.as_std_path()
                .strip_prefix(&root)
                .unwrap_or(path.as_std_path())
                .to_string_lossy()
                .into_owned()
        };
        let dependencies = package.dependencies.iter();
        Self {
            name: package.name.to_string(),
            manifest: from_root(&package.manifest_path),
            dependencies: dependencies
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone())
                .collect(),
            targets: package.targets.iter().map(|target| from_root(&target.src_path)).collect(),
        }
    }
}

impl File {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let kinds = if has_extension(&path, "rs") { lexer::kinds(&text) } else { Vec::new() };
        Self { path, text, kinds }
    }

    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }

    /// Whether the whole file is there for tests only; a conformance suite is, though other crates may call it.
    pub(crate) fn is_test(&self) -> bool {
        let in_folder = |name: &str| self.path.split('/').any(|part| part == name);
        ["tests", "benches", "conformance", "tests.rs", "conformance.rs"].into_iter().any(in_folder)
    }

    /// Code alone: comments and what stands in strings are blanks, and every byte keeps its place.
    pub(crate) fn code(&self) -> String {
        self.only(|kind| kind == Kind::Code)
    }

    /// Code with its strings; comments are blanks.
    pub(crate) fn code_and_strings(&self) -> String {
        self.only(|kind| matches!(kind, Kind::Code | Kind::Text))
    }

    /// Every comment, also those that become documentation.
    pub(crate) fn comments(&self) -> String {
        self.only(|kind| matches!(kind, Kind::Comment | Kind::Documentation))
    }

    /// Comments that are no documentation.
    pub(crate) fn plain_comments(&self) -> String {
        self.only(|kind| kind == Kind::Comment)
    }

    fn only(&self, keep: impl Fn(Kind) -> bool) -> String {
        let bytes = self.text.bytes().zip(&self.kinds);
        let kept = bytes.map(|(byte, kind)| if byte == b'\n' || keep(*kind) { byte } else { b' ' }).collect();
        String::from_utf8(kept).unwrap_or_default()
    }

    /// For each line, whether it belongs to an inline `#[cfg(test)] mod`.
    pub(crate) fn test_lines(&self) -> Vec<bool> {
        lexer::test_lines(&self.code())
    }

    /// The lines of `part` (this file's text, or some kinds of it) that are built into the product, with their numbers.
    pub(crate) fn product_lines<'part>(&self, part: &'part str) -> Vec<(usize, &'part str)> {
        let tests = self.test_lines();
        let lines = part.lines().enumerate();
        lines
            .filter(|(index, _)| !self.is_test() && !tests.get(*index).copied().unwrap_or(false))
            .map(|(index, line)| (index + 1, line))
            .collect()
    }
}

pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The lines of a text with their numbers, which begin at 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Where `word` stands in `line` with no letter, digit or underscore beside it.
pub(crate) fn whole_word(line: &str, word: &str) -> Option<usize> {
    let beside = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !beside(before) && !beside(after)
    })
}
