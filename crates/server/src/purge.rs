//! What has been kept long enough goes, in small steps with a pause between, so that nobody waits for it.

use std::time::Duration;

use postrider_store::DynStore;
use tokio_util::sync::CancellationToken;

/// Between looks, when there was nothing more.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Between steps: most of the time is left for others.
const STEP_PAUSE: Duration = Duration::from_millis(100);
const STORE_AWAY_PAUSE: Duration = Duration::from_secs(5);

/// Until shutdown.
pub(crate) async fn run(store: DynStore, shutdown: CancellationToken) {
    loop {
        let pause = match store.purge().await {
            Ok(true) => STEP_PAUSE,
            Ok(false) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(event = "purging_failed", %error, "what was kept long enough is not purged yet");
                STORE_AWAY_PAUSE
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
