//! `cargo +nightly fuzz run send_mail`; what it holds to is told in crates/server/src/fuzzing.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| postrider_server::fuzzing::send_mail(bytes));
