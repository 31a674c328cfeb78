//! A service's first start, in which it makes its keys and its database, traced from its first instruction.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use postrider_testkit::{Program, World};
use tokio::process::Command;
use tokio::time::sleep;

use crate::sweep::SIGKILL;

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Asks it to end when it listens. Whether it was killed before it had.
pub(crate) async fn is_killed(world: &World, data_dir: &Path, traced: &[&str], log: &Path) -> bool {
    let mut command = Command::new("strace");
    world.bare(&mut command);
    // So that the tracer is the child, and who waits for the service waits for itself alone.
    command.arg("-D").args(traced).arg("-o").arg(log).arg(world.program());
    command.arg("serve").arg("--data-dir").arg(data_dir);
    command.args(["--listen.grpc=127.0.0.1:0", "--listen.http=127.0.0.1:0"]);
    let mut program = Program::start(command, world.path(), "first-start");
    let listens = async {
        while !data_dir.join("endpoints.json").exists() {
            sleep(LOOK_AGAIN).await;
        }
    };
    let died = tokio::select! {
        ended = program.ends() => Some(ended),
        () = listens => None,
    };
    let ended = if let Some(ended) = died {
        ended
    } else {
        program.terminate().await;
        program.ends().await
    };
    assert!(ended.success() || ended.signal() == Some(SIGKILL), "{traced:?}: {ended}\n{}", program.stderr());
    !ended.success()
}
