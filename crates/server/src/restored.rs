//! After a restore from a backup: what waits in it may have been sent since it was made, so none of it is sent again by itself.
//!
//! Each ends as OUTCOME_UNKNOWN with an attempt in doubt, whatever its policy, before anybody is served; a person looks which of it
//! arrived, and retries the rest. What is for later than now was sent by nobody yet, and waits on. Whoever watched goes on from no
//! cursor of before: events that were told after the backup was made are not in it, and others get their numbers.

use jiff::Timestamp;
use postrider_domain::{AttemptNumber, Finding, FindingCode, Message, MessageState, ResellerId};
use postrider_store::{DynStore, MessageFilter, SettingsFilter, StoreError};
use uuid::Uuid;

const PAGE: u32 = 500;
const REASON: &str = "the database was restored from a backup: it may have been sent after that was made";
const UNFINISHED: [MessageState; 5] = [
    MessageState::Accepted,
    MessageState::Scheduled,
    MessageState::Sending,
    MessageState::Deferred,
    MessageState::Held,
];

/// How many messages it was. Again after it was cut off, it goes on with the rest.
pub(crate) async fn take_as_in_doubt(store: &DynStore, now: Timestamp) -> Result<u64, StoreError> {
    store.begin_epoch(&Uuid::new_v4().simple().to_string()).await?;
    let (mut taken, mut after) = (0, None);
    loop {
        let filter = SettingsFilter { after, limit: PAGE, ..SettingsFilter::default() };
        let page = store.list_settings(filter).await?;
        for settings in &page.settings {
            taken += of_reseller(store, &settings.reseller, now).await?;
        }
        after = page.settings.into_iter().next_back().map(|settings| settings.reseller);
        if !page.more {
            return Ok(taken);
        }
    }
}

async fn of_reseller(store: &DynStore, reseller: &ResellerId, now: Timestamp) -> Result<u64, StoreError> {
    let (mut taken, mut before) = (0, None);
    loop {
        let filter =
            MessageFilter { states: UNFINISHED.to_vec(), before, limit: PAGE, ..MessageFilter::default() };
        let page = store.list_messages(reseller, filter).await?;
        for message in page.messages.iter().filter(|message| may_have_left(message, now)) {
            let finding = Finding::new(FindingCode::OutcomeUnknown).with("reason", REASON);
            taken += u64::from(store.doubt(reseller, &message.id, attempt(message), finding).await?);
        }
        before = page.messages.last().map(|message| message.id);
        if !page.more {
            return Ok(taken);
        }
    }
}

fn may_have_left(message: &Message, now: Timestamp) -> bool {
    !message.attempts.is_empty() || message.send_time.is_none_or(|send_time| send_time <= now)
}

/// The open one, or the next.
fn attempt(message: &Message) -> AttemptNumber {
    match message.attempts.last() {
        Some(last) if last.outcome.is_none() => last.number,
        Some(last) => AttemptNumber(last.number.0 + 1),
        None => AttemptNumber(1),
    }
}
