//! What must hold for any bytes of a caller's or an operator's, over the committed corpus and its mutations
//! (`crates/testkit/src/fuzz.rs`).

use postrider_proto::v1;
use postrider_server::fuzzing::{TARGETS, request};
use postrider_testkit::fuzz::{corpus, folder, holds};
use prost::Message;

const MUTATIONS: usize = 20_000;
/// A certificate among them may cost up to two million rounds of key derivation.
const MUTATIONS_OF_SETTINGS: usize = 2_000;

/// The corpus is kept in JSON, to be read; this is the same on the wire.
fn on_the_wire<M: Message + Default>(target: &str, message: &str) -> Vec<Vec<u8>> {
    let files = corpus(target);
    let read: Vec<M> = files.iter().filter_map(|file| request(message, file)).collect();
    assert!(read.len() >= 5, "{target} has requests that can be read");
    read.iter().map(Message::encode_to_vec).collect()
}

#[test]
fn every_target_of_cargo_fuzz_is_run_by_a_test() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("fuzz/Cargo.toml");
    let targets = || TARGETS.into_iter().chain(postrider_microsoft::fuzzing::TARGETS);
    for (name, _) in targets() {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets().count());
}

#[test]
fn any_request_to_send_is_a_mail_or_its_faults() {
    let wire = on_the_wire::<v1::SendMailRequest>("send_mail", "SendMailRequest");
    holds(&TARGETS, "send_mail", wire, MUTATIONS);
}

#[test]
fn any_settings_are_settings_or_their_faults() {
    let wire = on_the_wire::<v1::Settings>("settings", "Settings");
    holds(&TARGETS, "settings", wire, MUTATIONS_OF_SETTINGS);
}

#[test]
fn any_page_token_is_a_place_or_a_fault() {
    holds(&TARGETS, "page_token", Vec::new(), MUTATIONS);
}

#[test]
fn any_cursor_is_a_place_or_none() {
    holds(&TARGETS, "cursor", Vec::new(), MUTATIONS);
}

#[test]
fn any_configuration_is_a_safe_one_or_a_sentence() {
    holds(&TARGETS, "configuration", Vec::new(), MUTATIONS);
}
