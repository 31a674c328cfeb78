//! Fresh ids of messages: version 7, by the service's own clock, each after the last.

use std::sync::Mutex;

use jiff::Timestamp;
use postrider_domain::MessageId;
use uuid::{ContextV7, Uuid};

/// The next id of this process.
pub(crate) fn message_id(now: Timestamp) -> MessageId {
    // One count for the whole process: two counts could give ids out of the order of acceptance.
    static IDS: MessageIds = MessageIds::new();
    IDS.next(now)
}

/// When a message was accepted, to the millisecond: its id tells.
pub(crate) fn accept_time(id: &MessageId) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.as_uuid().get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// Counts within a millisecond, and goes on from the last where the clock was set back.
struct MessageIds(Mutex<ContextV7>);

impl MessageIds {
    const fn new() -> Self {
        Self(Mutex::new(ContextV7::new()))
    }

    fn next(&self, now: Timestamp) -> MessageId {
        // Before 1970: a clock that tells nothing.
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        MessageId::of_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(&self.0, seconds, nanoseconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_time_and_comes_after_the_last_also_when_the_clock_stands_still_or_goes_back() {
        let ids = MessageIds::new();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut last = ids.next(at(1_800_000_000));
        assert_eq!(accept_time(&last), Some(at(1_800_000_000)));
        for second in [1_800_000_000, 1_800_000_000, 1_799_999_999, 1_800_000_001] {
            let next = ids.next(at(second));
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}
