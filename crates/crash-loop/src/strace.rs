//! `strace`, attached to all threads of a running service. What it traces is its user's affair.

use std::path::Path;
use std::process::Stdio;

use postrider_testkit::{Service, in_time};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// It is there when this returns, and ends with the service.
pub(crate) async fn attached(service: &mut Service, log: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new("strace");
    command.args(arguments).arg("-o").arg(log);
    command.args(["-p", &service.program().id().to_string()]);
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut strace = command.spawn().expect("strace, which `cargo xtask test` installs");
    let mut lines = BufReader::new(strace.stderr.take().expect("its output")).lines();
    let first = in_time("strace is attached", lines.next_line()).await.expect("a line").unwrap_or_default();
    assert!(first.contains("attached"), "strace: {first}");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    strace
}
