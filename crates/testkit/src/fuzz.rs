//! Fuzz targets over their committed corpus and its mutations, from a seed that is printed: a few seconds of what
//! `cargo +nightly fuzz run` does for as long as it is let.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Another one is given by `POSTRIDER_SEED`.
const SEED: u64 = 0x11;
const BYTES_MAX: usize = 64 * 1024;

/// A promise over any bytes, by its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Where the random begins.
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure gives the seed of a test")]
fn seed() -> u64 {
    std::env::var("POSTRIDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}

/// Of the workspace that cargo-fuzz builds.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The promise of the target of this name holds over its corpus, over `more`, and over so many mutations of both.
pub fn holds(targets: &[Target], name: &str, more: Vec<Vec<u8>>, mutations: usize) {
    let (_, promise) = targets.iter().find(|(known, _)| *known == name).expect("a target");
    let seed = seed();
    println!("POSTRIDER_SEED={seed} for {name}");
    let mut corpus = corpus(name);
    assert!(corpus.len() >= 5, "{name} has a corpus");
    corpus.extend(more);
    let mut chance = fastrand::Rng::with_seed(seed);
    let mutants: Vec<_> = (0..mutations).map(|_| mutated(&corpus, &mut chance)).collect();
    for bytes in corpus.iter().chain(&mutants) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| promise(bytes))) {
            let kept = std::env::temp_dir().join(format!("postrider-fuzz-{name}"));
            std::fs::write(&kept, bytes).expect("a file");
            println!("{name} does not hold; its bytes are in {}", kept.display());
            std::panic::resume_unwind(panic);
        }
    }
}

/// The files of a target, in the order of their names.
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// What a fuzzer does to a file: bytes changed, dropped, doubled, and parts of another file put in.
fn mutated(corpus: &[Vec<u8>], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = corpus[chance.usize(..corpus.len())].clone();
    for _ in 0..=chance.usize(..8) {
        let at = chance.usize(..=bytes.len());
        match chance.usize(..6) {
            0 => bytes.insert(at, chance.u8(..)),
            1 if at < bytes.len() => bytes[at] = chance.u8(..),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.usize(..8),
            3 => drop(bytes.drain(at..bytes.len().min(at + chance.usize(..64)))),
            4 => {
                let other = &corpus[chance.usize(..corpus.len())];
                let from = chance.usize(..=other.len());
                let part = other[from..other.len().min(from + chance.usize(..256))].to_vec();
                drop(bytes.splice(at..at, part));
            }
            _ => {
                let end = bytes.len().min(at + chance.usize(..512));
                bytes.extend_from_within(at..end);
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}
