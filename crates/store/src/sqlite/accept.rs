//! Accept: message, content, request key and due lane in one transaction. Concurrent twins make one message, for the
//! writer runs one write after the other.

use jiff::Timestamp;
use postrider_domain::{Message, MessageState, RequestId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::cells::{Cells, as_stored, json};
use super::seen::LaneSeen;
use super::writer::Write;
use super::{SqliteStore, failed, read};
use crate::{Accepted, ContentHash, NewMessage, StoreError, TestMail};

const LOOK_UP: &str = sql!("accept/look_up");
const INSERT: &str = sql!("accept/insert");
const INSERT_TEST: &str = sql!("accept/insert_test");

impl SqliteStore {
    pub(super) async fn accept_message(&self, new: NewMessage) -> Result<Accepted, StoreError> {
        self.write(Accept { new }).await
    }

    pub(super) async fn accept_test_mail(&self, test: TestMail) -> Result<Accepted, StoreError> {
        self.write(AcceptTest { test }).await
    }
}

struct Accept {
    new: NewMessage,
}

impl Write for Accept {
    type Answer = Accepted;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Accepted, StoreError> {
        let new = &self.new;
        let row = look_up(new, db).await?;
        let cells = cells(&row, new);
        if let Some(before) = accepted_before(cells, new, db).await? {
            return Ok(before);
        }
        // After the key: a replay is answered even when the settings are gone.
        if !cells.get::<bool>("has_settings")? {
            return Ok(Accepted::SettingsMissing);
        }
        let lane = LaneSeen::read(cells)?;
        insert(new, db).await?;
        let due = new.send_time.unwrap_or(new.create_time);
        Ok(Accepted::New(Box::new(lane.applied_to(accepted(new), due, new.create_time))))
    }
}

async fn look_up(new: &NewMessage, db: &mut SqliteConnection) -> Result<SqliteRow, StoreError> {
    sqlx::query(LOOK_UP)
        .bind(new.reseller.as_str())
        .bind(new.request_id.as_ref().map(RequestId::as_str))
        .fetch_one(db)
        .await
        .map_err(failed)
}

fn cells<'r>(row: &'r SqliteRow, new: &'r NewMessage) -> Cells<'r> {
    Cells::new(row, "request_keys", new.reseller.as_str())
}

/// The answer, where the request's key was used before.
async fn accepted_before(
    cells: Cells<'_>,
    new: &NewMessage,
    db: &mut SqliteConnection,
) -> Result<Option<Accepted>, StoreError> {
    if cells.get::<Option<&[u8]>>("message_id")?.is_none() {
        return Ok(None);
    }
    if ContentHash(cells.bytes("content_hash")?) != new.content_hash {
        return Ok(Some(Accepted::RequestIdReused));
    }
    let first = read::message(db, &new.reseller, &cells.message_id()?, new.create_time).await?;
    let first = first.ok_or_else(|| cells.bad("message_id"))?;
    Ok(Some(Accepted::Replayed(Box::new(first))))
}

fn is_scheduled(new: &NewMessage) -> bool {
    new.send_time.is_some_and(|send| send > new.create_time)
}

fn state(new: &NewMessage) -> MessageState {
    if is_scheduled(new) { MessageState::Scheduled } else { MessageState::Accepted }
}

async fn insert(new: &NewMessage, db: &mut SqliteConnection) -> Result<(), StoreError> {
    let due = new.send_time.filter(|_| is_scheduled(new)).unwrap_or(new.create_time);
    sqlx::query(INSERT)
        .bind(new.reseller.as_str())
        .bind(new.id.as_bytes().as_slice())
        .bind(state(new).as_str())
        .bind(new.priority.rank())
        .bind(new.policy.as_str())
        .bind(due.as_microsecond())
        .bind(new.expire_time.as_microsecond())
        .bind(new.send_time.map(Timestamp::as_microsecond))
        .bind(new.create_time.as_microsecond())
        .bind(new.request_id.as_ref().map(RequestId::as_str))
        .bind(new.internet_message_id.as_deref())
        .bind(new.subject.as_str())
        .bind(new.recipient_count)
        .bind(json(&new.labels))
        .bind(new.content.as_slice())
        .bind(new.content_hash.0.as_slice())
        .execute(db)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The message as it will be read back, but for what its lane adds.
fn accepted(new: &NewMessage) -> Message {
    Message {
        reseller: new.reseller.clone(),
        id: new.id,
        request_id: new.request_id.clone(),
        state: state(new),
        internet_message_id: new.internet_message_id.clone(),
        create_time: as_stored(new.create_time),
        update_time: as_stored(new.create_time),
        send_time: new.send_time.map(as_stored),
        expire_time: as_stored(new.expire_time),
        next_attempt_time: None,
        attempts: Vec::new(),
        finding: None,
        subject: new.subject.clone(),
        recipient_count: new.recipient_count,
        labels: new.labels.clone(),
    }
}

struct AcceptTest {
    test: TestMail,
}

impl Write for AcceptTest {
    type Answer = Accepted;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Accepted, StoreError> {
        let TestMail { message: new, mailbox, start } = &self.test;
        let row = look_up(new, db).await?;
        let cells = cells(&row, new);
        if let Some(before) = accepted_before(cells, new, db).await? {
            return Ok(before);
        }
        sqlx::query(INSERT_TEST)
            .bind(new.reseller.as_str())
            .bind(new.id.as_bytes().as_slice())
            .bind(new.priority.rank())
            .bind(new.expire_time.as_microsecond())
            .bind(new.create_time.as_microsecond())
            .bind(new.request_id.as_ref().map(RequestId::as_str))
            .bind(new.internet_message_id.as_deref())
            .bind(new.subject.as_str())
            .bind(new.recipient_count)
            .bind(json(&new.labels))
            .bind(new.content.as_slice())
            .bind(start.number.0)
            .bind(mailbox.as_str())
            .bind(start.start_time.as_microsecond())
            .bind(start.call_deadline.as_microsecond())
            .bind(new.content_hash.0.as_slice())
            .execute(&mut *db)
            .await
            .map_err(failed)?;
        let message = read::message(db, &new.reseller, &new.id, new.create_time).await?;
        message.map(|message| Accepted::New(Box::new(message))).ok_or_else(|| cells.bad("message_id"))
    }
}
