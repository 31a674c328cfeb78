//! What must hold for any bytes, over the committed corpus and its mutations (`crates/testkit/src/fuzz.rs`).

use std::path::Path;

use postrider_microsoft::fuzzing::TARGETS;
use postrider_testkit::fuzz::holds;

const MUTATIONS: usize = 20_000;
/// Each of these may cost up to two million rounds of key derivation.
const MUTATIONS_OF_CERTIFICATES: usize = 500;

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
fn mail_of_any_fields_is_one_mail() {
    holds(&TARGETS, "mime", Vec::new(), MUTATIONS);
}

#[test]
fn any_answer_of_graphs_is_one_verdict() {
    holds(&TARGETS, "graph_answer", recorded(|name| !name.starts_with("entra")), MUTATIONS);
}

#[test]
fn any_answer_of_entras_is_a_token_or_one_finding() {
    holds(&TARGETS, "entra_answer", recorded(|name| name.starts_with("entra")), MUTATIONS);
}

#[test]
fn any_file_is_a_certificate_or_a_sentence() {
    holds(&TARGETS, "certificate", Vec::new(), MUTATIONS_OF_CERTIFICATES);
}

#[test]
fn any_header_is_a_wait_or_none() {
    holds(&TARGETS, "retry_after", Vec::new(), MUTATIONS);
}
