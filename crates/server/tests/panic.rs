//! A panic is told by its place. What it said may hold a mail or a secret, and is told nowhere.

use std::process::{Command, Output};

use postrider_server::config::{Log, LogFormat, LogLevel};
use postrider_server::init_telemetry;

const CANARY: &str = "canary of a subject that a panic quotes";
/// Set in the process that panics.
const FORMAT: &str = "POSTRIDER_TEST_PANICS_WITH_LOG";

#[test]
fn a_panic_is_told_by_its_place_and_not_by_its_words() {
    if let Some(format) = std::env::var_os(FORMAT) {
        let format = if format == "json" { LogFormat::Json } else { LogFormat::Text };
        let _telemetry = init_telemetry(Log { format, level: LogLevel::Trace }, None).unwrap();
        // As a handler does, in a task, and as whatever is in no task.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(runtime.spawn(async { panic!("{CANARY}") }));
        assert!(ended.unwrap_err().is_panic());
        std::thread::spawn(|| std::panic::panic_any(CANARY.to_owned())).join().unwrap_err();
        return;
    }
    for format in ["text", "json"] {
        let Output { status, stdout, stderr } = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_panic_is_told_by_its_place_and_not_by_its_words", "--nocapture"])
            .env(FORMAT, format)
            .output()
            .unwrap();
        let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(status.success(), "{said}");
        assert_eq!(said.matches("panic.rs:").count(), 2, "each by its place: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
