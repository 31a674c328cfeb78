//! The fuzz targets over their committed corpus and its mutations, from a seed that is printed: a few seconds of what
//! `cargo +nightly fuzz run` does for as long as it is let.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use postrider_microsoft::fuzzing::{TARGETS, Target};

/// Another one is given by `POSTRIDER_SEED`.
const SEED: u64 = 0x11;
const MUTATIONS: usize = 20_000;
/// Each of these may cost up to two million rounds of key derivation.
const MUTATIONS_OF_CERTIFICATES: usize = 500;
const BYTES_MAX: usize = 64 * 1024;

/// Where the random begins.
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure gives the seed of a test")]
fn seed() -> u64 {
    std::env::var("POSTRIDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}

/// Small numbers, the same everywhere (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("a number");
        usize::try_from(self.roll() % end).expect("a number")
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// What a fuzzer does to a file: bytes changed, dropped, doubled, and parts of another file put in.
fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(8) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 => bytes.insert(at, dice.byte()),
            1 if at < bytes.len() => bytes[at] = dice.byte(),
            2 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            3 => drop(bytes.drain(at..bytes.len().min(at + dice.below(64)))),
            4 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                let part = other[from..other.len().min(from + dice.below(256))].to_vec();
                drop(bytes.splice(at..at, part));
            }
            _ => {
                let end = bytes.len().min(at + dice.below(512));
                bytes.extend_from_within(at..end);
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

fn hold(target: Target, more: Vec<Vec<u8>>, mutations: usize) {
    let (name, promise) = target;
    let seed = seed();
    println!("POSTRIDER_SEED={seed} for {name}");
    let mut corpus = files(&folder(name));
    assert!(corpus.len() >= 5, "{name} has a corpus");
    corpus.extend(more);
    let mut dice = Dice(seed);
    let mutants: Vec<_> = (0..mutations).map(|_| mutated(&corpus, &mut dice)).collect();
    for bytes in corpus.iter().chain(&mutants) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| promise(bytes))) {
            let kept = std::env::temp_dir().join(format!("postrider-fuzz-{name}"));
            std::fs::write(&kept, bytes).expect("a file");
            println!("{name} does not hold; its bytes are in {}", kept.display());
            std::panic::resume_unwind(panic);
        }
    }
}

fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target")
}

fn recorded(is_of: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("answers")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .filter(|name| is_of(name))
        .collect();
    names.sort();
    names.iter().map(|name| std::fs::read(folder.join(name)).expect("a file")).collect()
}

#[test]
fn every_target_of_cargo_fuzz_is_one_of_these() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("fuzz/Cargo.toml");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

#[test]
fn mail_of_any_fields_is_one_mail() {
    hold(target("mime"), Vec::new(), MUTATIONS);
}

#[test]
fn any_answer_of_graphs_is_one_verdict() {
    let recorded = recorded(|name| !name.starts_with("entra"));
    hold(target("graph_answer"), recorded, MUTATIONS);
}

#[test]
fn any_answer_of_entras_is_a_token_or_one_finding() {
    let recorded = recorded(|name| name.starts_with("entra"));
    hold(target("entra_answer"), recorded, MUTATIONS);
}

#[test]
fn any_file_is_a_certificate_or_a_sentence() {
    hold(target("certificate"), Vec::new(), MUTATIONS_OF_CERTIFICATES);
}

#[test]
fn any_header_is_a_wait_or_none() {
    hold(target("retry_after"), Vec::new(), MUTATIONS);
}
