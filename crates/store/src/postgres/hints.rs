//! What the other replicas say they changed, by `LISTEN`. A hint that is lost is no harm: whoever waits looks again.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{MessageId, ResellerId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;

use super::{SILENCE_MAX, Shared};
use crate::Changed;

pub(super) const CHANNEL: &str = "postrider";
/// A notification holds less than 8,000 bytes.
const HINT_BYTES_MAX: usize = 7_900;
const RECONNECT_AFTER: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Hint {
    from: String,
    /// Reseller and message; more than fit are left out, and then everything may have changed.
    changed: Option<Vec<(String, Option<String>)>>,
}

/// One notification for all that a transaction changed.
pub(super) fn written(origin: &str, changed: &[Changed]) -> String {
    let named: Option<Vec<_>> = changed
        .iter()
        .map(|one| match one {
            Changed::Message(reseller, id) => {
                Some((reseller.as_str().to_owned(), id.map(|id| id.to_string())))
            }
            Changed::Anything => None,
        })
        .collect();
    let text =
        |changed| serde_json::to_string(&Hint { from: origin.to_owned(), changed }).unwrap_or_default();
    let whole = text(named);
    if whole.len() <= HINT_BYTES_MAX { whole } else { text(None) }
}

/// Until aborted.
pub(super) async fn follow(shared: Arc<Shared>) {
    loop {
        if let Err(error) = listen(&shared).await {
            tracing::debug!(event = "hints_not_heard", %error, "changes of the other replicas are not heard for a while");
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

async fn listen(shared: &Shared) -> Result<(), sqlx::Error> {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(SILENCE_MAX)
        .connect_lazy_with(shared.options().clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // What changed while nobody listened is not known.
    shared.changed.send(Changed::Anything).ok();
    loop {
        let Some(notification) = listener.try_recv().await? else {
            shared.changed.send(Changed::Anything).ok();
            continue;
        };
        for one in read(&shared.origin, notification.payload()) {
            shared.changed.send(one).ok();
        }
    }
}

fn read(origin: &str, payload: &str) -> Vec<Changed> {
    let Ok(hint) = serde_json::from_str::<Hint>(payload) else { return vec![Changed::Anything] };
    if hint.from == origin {
        return Vec::new();
    }
    let Some(changed) = hint.changed else { return vec![Changed::Anything] };
    changed
        .into_iter()
        .map(|(reseller, id)| match ResellerId::parse(&reseller) {
            Ok(reseller) => Changed::Message(reseller, id.as_deref().and_then(MessageId::parse)),
            Err(_) => Changed::Anything,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(number: u128) -> Changed {
        let reseller = ResellerId::parse("acme").expect("a slug");
        Changed::Message(reseller, Some(MessageId::of_uuid(uuid::Uuid::from_u128(number))))
    }

    #[test]
    fn a_hint_is_read_as_it_was_written_but_for_ones_own() {
        let all = vec![changed(1), changed(2)];
        let hint = written("a", &all);
        assert_eq!(read("b", &hint), all);
        assert_eq!(read("a", &hint), []);
    }

    #[test]
    fn more_than_a_notification_holds_is_anything() {
        let all: Vec<_> = (0..256).map(changed).collect();
        let hint = written("a", &all);
        assert!(hint.len() < 8_000);
        assert_eq!(read("b", &hint), [Changed::Anything]);
        assert_eq!(read("b", "what is this"), [Changed::Anything]);
    }
}
