//! `cargo +nightly fuzz run configuration`; what it holds to is told in crates/server/src/fuzzing.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| postrider_server::fuzzing::configuration(bytes));
