//! SIGTERM and Ctrl-C: the first asks for a clean end, the second is obeyed at once.

use std::io::Write as _;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell makes of Ctrl-C.
const INTERRUPTED: i32 = 130;

/// From now on the first signal cancels `shutdown`.
pub(crate) fn cancel(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        shutdown.cancel();
        // Whoever read it may be gone: the end comes all the same.
        drop(writeln!(std::io::stderr(), "ending; a second signal ends at once"));
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(1);
    });
    Ok(())
}

/// From now on the first signal does that last, whatever else is waited for, and ends the program.
pub(crate) fn end_with(last: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(entered);
    std::thread::spawn(move || {
        runtime.block_on(either(&mut terminate, &mut interrupt));
        last();
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
