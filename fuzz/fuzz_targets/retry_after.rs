//! `cargo +nightly fuzz run retry_after`; what it holds to is told in crates/microsoft/src/fuzzing.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| postrider_microsoft::fuzzing::retry_after(bytes));
