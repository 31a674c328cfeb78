//! Callers' keys: made, revoked, and noted when they are used.

use jiff::Timestamp;

use super::Write;
use crate::book::{Book, Needs};
use crate::{AccessKey, KeyId, StoreError};

pub(crate) struct CreateKey {
    pub key: AccessKey,
}

impl Write for CreateKey {
    type Answer = ();

    const NAME: &'static str = "create_key";

    fn needs(&self, needs: &mut Needs) {
        needs.access_keys.insert(self.key.id.clone());
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        if book.access_keys.get(&self.key.id).is_some() {
            return Err(StoreError::Unavailable { cause: format!("the key id {} is taken", self.key.id) });
        }
        book.access_keys.insert(self.key.id.clone(), self.key.clone());
        Ok(())
    }

    fn is_audited(&self, (): &()) -> bool {
        true
    }
}

pub(crate) struct RevokeKey {
    pub id: KeyId,
    pub now: Timestamp,
}

impl Write for RevokeKey {
    /// Whether it is there.
    type Answer = bool;

    const NAME: &'static str = "revoke_key";

    fn needs(&self, needs: &mut Needs) {
        needs.access_keys.insert(self.id.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Some(key) = book.access_keys.get(&self.id) else { return Ok(false) };
        if key.revoke_time.is_none()
            && let Some(key) = book.access_keys.change(&self.id)
        {
            key.revoke_time = Some(self.now);
        }
        Ok(true)
    }

    fn is_audited(&self, is_there: &bool) -> bool {
        *is_there
    }
}

pub(crate) struct TouchKey {
    pub id: KeyId,
    pub now: Timestamp,
}

impl Write for TouchKey {
    type Answer = ();

    const NAME: &'static str = "touch_key";

    fn needs(&self, needs: &mut Needs) {
        needs.access_keys.insert(self.id.clone());
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        let minute = minute(self.now);
        let is_noted = book.access_keys.get(&self.id).is_none_or(|key| key.last_use_time >= Some(minute));
        if !is_noted && let Some(key) = book.access_keys.change(&self.id) {
            key.last_use_time = Some(minute);
        }
        Ok(())
    }
}

/// Its beginning.
fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}
