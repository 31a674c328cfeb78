//! Accept: message, content, request key, event and due lane in one transaction. Concurrent twins make one message, for
//! the second sees the first's key.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{
    Bug, EmailAddress, InDoubtPolicy, Message, MessageId, MessageState, RequestId, ResellerId, limits,
    planted,
};

use super::Write;
use crate::book::{AttemptRow, Book, LaneRow, MessageRow, Needs, RequestKeyRow};
use crate::{ContentHash, NewMessage, QueueBounds, Refused, StoreError, TestMail, WrappedKey};

/// What becomes of one mail.
#[derive(Debug)]
pub(crate) enum Admitted {
    New(Box<Message>),
    Replayed(MessageId),
    Refused(Refused),
    /// Nothing was written: what sealed it is no longer the reseller's data key.
    KeyGone,
}

pub(crate) struct Accept {
    pub new: Arc<NewMessage>,
    pub sealed_by: Option<WrappedKey>,
    pub bounds: QueueBounds,
}

impl Write for Accept {
    type Answer = Admitted;

    const NAME: &'static str = "accept";
    const GROWS: bool = true;

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.new.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.new.reseller).request_key(&self.new.reseller, self.new.request_id.as_ref());
    }

    fn run(&self, book: &mut Book) -> Result<Admitted, StoreError> {
        admit(book, &self.new, self.sealed_by.as_ref(), self.bounds)
    }
}

/// All of them, or none.
pub(crate) struct AcceptAll {
    /// With what sealed each.
    pub new: Vec<(Arc<NewMessage>, Option<WrappedKey>)>,
    pub bounds: QueueBounds,
}

/// Why none of many was accepted.
#[derive(Debug)]
pub(crate) enum Hindered {
    Refused(Refused),
    KeyGone,
}

impl Write for AcceptAll {
    /// The first refused by its index, or what became of each.
    type Answer = Result<Vec<Admitted>, (usize, Hindered)>;

    const NAME: &'static str = "accept_all";
    const GROWS: bool = true;

    fn reseller(&self) -> Option<&ResellerId> {
        self.new.first().map(|(new, _)| &new.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        for (new, _) in &self.new {
            needs.reseller(&new.reseller).request_key(&new.reseller, new.request_id.as_ref());
        }
    }

    fn run(&self, book: &mut Book) -> Result<Self::Answer, StoreError> {
        let mut bounds = self.bounds;
        let mut names: HashMap<(&ResellerId, &RequestId), ContentHash> = HashMap::new();
        for (index, (new, sealed_by)) in self.new.iter().enumerate() {
            let name = new.request_id.as_ref().map(|id| (&new.reseller, id));
            let twin = name.and_then(|name| names.get(&name));
            match (twin, before(book, new, sealed_by.as_ref(), bounds)) {
                (Some(hash), _) if *hash != new.content_hash => {
                    return Ok(Err((index, Hindered::Refused(Refused::RequestIdReused))));
                }
                (Some(_), _) | (None, Before::Replayed(_)) => {}
                (None, Before::Refused(refused)) => return Ok(Err((index, Hindered::Refused(refused)))),
                (None, Before::KeyGone) => return Ok(Err((index, Hindered::KeyGone))),
                (None, Before::New) => {
                    names.extend(name.map(|name| (name, new.content_hash)));
                    bounds = bounds.without(bytes(&new.content));
                }
            }
        }
        let admit = |(new, sealed_by): &(Arc<NewMessage>, Option<WrappedKey>)| {
            admit(book, new, sealed_by.as_ref(), self.bounds)
        };
        self.new.iter().map(admit).collect::<Result<_, _>>().map(Ok)
    }
}

pub(crate) struct AcceptTest {
    pub test: Arc<TestMail>,
    pub sealed_by: Option<WrappedKey>,
}

impl Write for AcceptTest {
    type Answer = Admitted;

    const NAME: &'static str = "accept_test";
    const GROWS: bool = true;

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.test.message.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        let new = &self.test.message;
        needs.reseller_made(&new.reseller).request_key(&new.reseller, new.request_id.as_ref());
        needs.open.insert(new.reseller.clone());
        needs.recent.insert(new.reseller.clone());
    }

    /// As any other, but for the settings and the queue, which it does not ask for; and its attempt begins at once.
    fn run(&self, book: &mut Book) -> Result<Admitted, StoreError> {
        let TestMail { message: new, mailbox, start, .. } = &*self.test;
        if let Some(known) = known(book, new) {
            return Ok(known.into());
        }
        if is_key_gone(book, new, self.sealed_by.as_ref()) {
            return Ok(Admitted::KeyGone);
        }
        if is_busy(book, &self.test) {
            return Ok(Admitted::Refused(Refused::MailboxBusy));
        }
        let row = MessageRow { is_test: true, attempts: start.number.0, ..row(new, MessageState::Sending) };
        // Nobody tries it again.
        let row = MessageRow { policy: InDoubtPolicy::AtMostOnce, ..row };
        let row = MessageRow { due_time: start.start_time, update_time: start.start_time, ..row };
        let attempt = AttemptRow::started(start, mailbox.clone(), None, None);
        let shown = attempt.clone().shown(start.number.0);
        book.attempts.insert((new.reseller.clone(), new.id, start.number.0), attempt);
        count_recipients(book, &new.reseller, mailbox, start.start_time, new.recipient_count);
        insert(book, &Arc::new(new.clone()), row)?;
        if let Some(lane) = book.change_lane(&new.reseller) {
            lane.is_due_at(start.call_deadline);
        }
        // The lane's holder, perhaps another replica, is to count it.
        book.signal(&new.reseller);
        let mut message = message(book, new);
        message.state = MessageState::Sending;
        message.next_attempt_time = None;
        message.update_time = start.start_time;
        message.attempts = vec![shown];
        Ok(Admitted::New(Box::new(message)))
    }
}

/// Whoever sends the mailbox's queue may be another process: what binds both is what is written down.
fn is_busy(book: &Book, test: &TestMail) -> bool {
    let (reseller, now) = (&test.message.reseller, book.now());
    let lane = book.lane(reseller).filter(|lane| lane.mailbox == test.mailbox);
    // What the lane only guessed to wait for a test may find to be over.
    let must_wait = lane.and_then(|lane| lane.asked_until).is_some_and(|until| until > now);
    let calls = || {
        let all = book.attempts_of(reseller).map(|(_, attempt)| attempt);
        all.filter(|attempt| attempt.mailbox == test.mailbox && attempt.call_deadline.is_some())
    };
    let in_flight = calls().filter(|call| call.end.is_none() && call.call_deadline > Some(now)).count();
    let minute_ago = now.saturating_sub(limits::PACE_MINUTE).unwrap_or(Timestamp::MIN);
    let in_a_minute = calls().filter(|call| call.start_time > minute_ago).count();
    let reaches =
        |count: usize, limit: u32| limit > 0 && u32::try_from(count).is_ok_and(|count| count >= limit);
    must_wait
        || reaches(in_flight, test.limits.concurrency)
        || reaches(in_a_minute, test.limits.messages_per_minute)
}

fn admit(
    book: &mut Book,
    new: &Arc<NewMessage>,
    sealed_by: Option<&WrappedKey>,
    bounds: QueueBounds,
) -> Result<Admitted, StoreError> {
    match before(book, new, sealed_by, bounds) {
        Before::Replayed(id) => return Ok(Admitted::Replayed(id)),
        Before::Refused(refused) => return Ok(Admitted::Refused(refused)),
        Before::KeyGone => return Ok(Admitted::KeyGone),
        Before::New => {}
    }
    insert(book, new, row(new, state(new)))?;
    let due = due(new);
    if let Some(lane) = book.change_lane(&new.reseller) {
        let time = match state(new) {
            // It is told as HELD when it comes due.
            MessageState::Scheduled if lane.stop().is_some() => due,
            _ if lane.pause.is_some() => new.expire_time,
            _ => lane.not_before().map_or(due, |not_before| not_before.max(due)),
        };
        lane.is_due_at(time.min(new.expire_time));
    }
    Ok(Admitted::New(Box::new(message(book, new))))
}

/// What an acceptance meets.
enum Before {
    New,
    Replayed(MessageId),
    Refused(Refused),
    KeyGone,
}

impl From<Before> for Admitted {
    fn from(before: Before) -> Self {
        match before {
            Before::Replayed(id) => Self::Replayed(id),
            Before::Refused(refused) => Self::Refused(refused),
            Before::KeyGone => Self::KeyGone,
            Before::New => Self::Refused(Refused::SettingsMissing),
        }
    }
}

/// The key comes first: a replay is answered even when the settings are gone, and costs no place in the queue.
fn before(book: &Book, new: &NewMessage, sealed_by: Option<&WrappedKey>, bounds: QueueBounds) -> Before {
    if let Some(known) = known(book, new) {
        return known;
    }
    match book.resellers.get(&new.reseller) {
        Some(row) if row.lane.is_some() => {
            let (messages, bytes) = (row.queued_messages + 1, row.queued_bytes + bytes(&new.content));
            if messages > bounds.messages || bytes > bounds.bytes {
                Before::Refused(Refused::QueueFull)
            } else if is_key_gone(book, new, sealed_by) {
                Before::KeyGone
            } else {
                Before::New
            }
        }
        _ => Before::Refused(Refused::SettingsMissing),
    }
}

/// Settings may have been deleted, and put again, since it was sealed.
fn is_key_gone(book: &Book, new: &NewMessage, sealed_by: Option<&WrappedKey>) -> bool {
    let there = book.resellers.get(&new.reseller).and_then(|row| row.data_key.as_ref());
    sealed_by.is_some() && sealed_by != there
}

fn known(book: &Book, new: &NewMessage) -> Option<Before> {
    let key = (new.reseller.clone(), new.request_id.clone()?);
    let first = book.request_keys.get(&key)?;
    Some(if first.content_hash == new.content_hash {
        Before::Replayed(first.message)
    } else {
        Before::Refused(Refused::RequestIdReused)
    })
}

fn insert(book: &mut Book, new: &Arc<NewMessage>, row: MessageRow) -> Result<(), StoreError> {
    if let Some(reseller) = book.resellers.change(&new.reseller) {
        reseller.queued_messages += 1;
        reseller.queued_bytes += row.content_bytes;
    }
    book.messages.insert((new.reseller.clone(), new.id), row);
    if let Some(request_id) = new.request_id.as_ref().filter(|_| !planted(Bug::RequestKeyNotStored)) {
        let key =
            RequestKeyRow { message: new.id, content_hash: new.content_hash, create_time: new.create_time };
        book.request_keys.insert((new.reseller.clone(), request_id.clone()), key);
    }
    book.written.accepted.push(Arc::clone(new));
    book.tell(&new.reseller, new.id)
}

fn due(new: &NewMessage) -> jiff::Timestamp {
    new.send_time.filter(|_| state(new) == MessageState::Scheduled).unwrap_or(new.create_time)
}

fn state(new: &NewMessage) -> MessageState {
    match new.send_time {
        Some(send) if send > new.create_time && !planted(Bug::ScheduleIgnored) => MessageState::Scheduled,
        _ => MessageState::Accepted,
    }
}

fn bytes(content: &[u8]) -> i64 {
    i64::try_from(content.len()).unwrap_or(i64::MAX)
}

fn row(new: &NewMessage, state: MessageState) -> MessageRow {
    MessageRow {
        is_test: false,
        priority: new.priority,
        policy: new.policy,
        create_time: new.create_time,
        content_bytes: bytes(&new.content),
        recipient_count: new.recipient_count,
        request_id: new.request_id.clone(),
        state,
        due_time: due(new),
        expire_time: new.expire_time,
        update_time: new.create_time,
        end_time: None,
        purge_time: None,
        has_content: true,
        attempts: 0,
        backoffs: 0,
        in_doubt: false,
        last_event: 0,
        finding: None,
    }
}

/// The message as it will be read back.
fn message(book: &Book, new: &NewMessage) -> Message {
    let lane = book.lane(&new.reseller).map(LaneRow::seen).unwrap_or_default();
    let seen = lane.shows(state(new), due(new), None, new.create_time);
    Message {
        reseller: new.reseller.clone(),
        id: new.id,
        request_id: new.request_id.clone(),
        state: seen.state,
        internet_message_id: new.internet_message_id.clone(),
        create_time: new.create_time,
        update_time: new.create_time,
        send_time: new.send_time,
        expire_time: new.expire_time,
        next_attempt_time: seen.next_attempt_time,
        attempts: Vec::new(),
        finding: seen.finding,
        subject: new.subject.clone(),
        recipient_count: new.recipient_count,
        labels: new.labels.clone(),
    }
}

/// Recipients count from the start of their call; a call that was not taken gives them back.
pub(super) fn count_recipients(
    book: &mut Book,
    reseller: &ResellerId,
    mailbox: &EmailAddress,
    start: jiff::Timestamp,
    recipients: u32,
) {
    add_recipients(book, reseller, mailbox, start, i64::from(recipients));
}

pub(super) fn add_recipients(
    book: &mut Book,
    reseller: &ResellerId,
    mailbox: &EmailAddress,
    start: jiff::Timestamp,
    recipients: i64,
) {
    let hour = start.as_second().div_euclid(3_600);
    *book.written.recipients.entry((reseller.clone(), mailbox.clone(), hour)).or_default() += recipients;
}
