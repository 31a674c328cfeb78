//! Stamps what `postrider --version` prints: the version and, in a clone, the revision it was built from.
//!
//! Rules
//! - It never fails: without git, or outside the project's own clone, the version stands alone.
//! - The same revision makes the same stamp: no time, no machine, no user.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let long = match revision() {
        Some(revision) => format!("{version} ({revision})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=POSTRIDER_VERSION_LONG={long}");
}

/// The short revision of this clone, watched so that the stamp follows a commit or a switch of branch.
fn revision() -> Option<String> {
    // Why: an unpacked release inside somebody else's clone must not carry that one's revision.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(".").canonicalize().ok()? {
        return None;
    }
    watch("HEAD");
    watch("logs/HEAD"); // grows at each commit, also where the branch's own file is not there yet
    if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
        watch(&branch);
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// Has the stamp made anew when this file of git's changes. A file that is not there would do so at every build.
fn watch(name: &str) {
    if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
