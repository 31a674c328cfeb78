//! What is checked in under `src/generated` is what the files under `proto/` make.

#[path = "support/generate.rs"]
mod generate;

use std::fs;
use std::path::Path;

#[test]
fn the_generated_files_are_fresh() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh");
    fs::create_dir_all(&scratch).unwrap();
    for file in generate::generate(&crate_folder.join("../../proto"), &scratch).unwrap() {
        let checked_in = fs::read(crate_folder.join("src/generated").join(file.name)).unwrap_or_default();
        assert!(
            checked_in == file.content,
            "crates/proto/src/generated/{} is stale: run `cargo xtask proto`",
            file.name
        );
    }
}
