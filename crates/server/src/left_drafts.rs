//! Drafts that could not be deleted when their mail was given up: they are as soon as Microsoft may be asked again,
//! whatever has become of the mail meanwhile.
//!
//! It keeps the mailbox's limits by a turn of its pace, which counts as no message. All of it is in memory: what a process
//! leaves by ending is for the message's next try (docs/decisions/0011).

use std::sync::Arc;
use std::time::Duration;

use postrider_dispatch::Wakeup;
use postrider_domain::{AttemptNumber, Clock, Lane, MessageId, PaceLimits};
use postrider_microsoft::{Deletion, LeftDraft, Microsoft};

/// While the mailbox is busy.
const TURN_LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Where Microsoft does not say when.
const AGAIN: Duration = Duration::from_secs(30);
/// Attempts count from one: this is none.
const NO_ATTEMPT: AttemptNumber = AttemptNumber(0);

#[derive(Clone)]
pub(crate) struct LeftDrafts {
    pub microsoft: Microsoft,
    pub wakeup: Wakeup,
    pub clock: Arc<dyn Clock>,
}

impl LeftDrafts {
    pub(crate) fn delete_later(&self, lane: Lane, limits: PaceLimits, message: MessageId, left: LeftDraft) {
        tokio::spawn(self.clone().delete(lane, limits, message, left));
    }

    /// Bounded by the life of the token that made the draft.
    async fn delete(self, lane: Lane, limits: PaceLimits, message: MessageId, left: LeftDraft) {
        let mut wait = left.wait;
        loop {
            let now = self.clock.now();
            if now.saturating_add(wait).is_ok_and(|next| next < left.expire_time()) {
                tokio::time::sleep(wait).await;
            } else {
                break;
            }
            let now = self.clock.now();
            let pace = self.wakeup.paces().of(&lane, now);
            let Ok(mut turn) = pace.turn(now, limits, (message, NO_ATTEMPT), 0) else {
                wait = TURN_LOOK_AGAIN;
                continue;
            };
            turn.was_not_used();
            match self.microsoft.delete_draft(&left).await {
                Deletion::Done => return,
                Deletion::Refused => break,
                Deletion::Again(asked) => {
                    if let Some(until) = asked.and_then(|asked| self.clock.now().saturating_add(asked).ok()) {
                        pace.close_until(until);
                    }
                    wait = asked.unwrap_or(AGAIN);
                }
            }
        }
        tracing::warn!(
            event = "draft_left",
            reseller = %lane.reseller,
            message_id = %message,
            "a draft stays in the mailbox: it could not be deleted in time"
        );
    }
}
