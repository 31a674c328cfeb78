//! Read: messages as their callers see them, and what is sent.

use jiff::Timestamp;
use postrider_domain::{Content, Message, MessageId, RequestId, ResellerId};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::cells::{Cells, json};
use super::{SqliteStore, failed, seen};
use crate::{Accepted, ContentHash, MessageFilter, MessagePage, StoreError};

const GET: &str = sql!("read/get");
const LIST: &str = sql!("read/list");
const CONTENT: &str = sql!("read/content");
const KEY: &str = sql!("read/key");

impl SqliteStore {
    pub(super) async fn read_message(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
    ) -> Result<Option<Message>, StoreError> {
        fetch(&self.reader(), reseller, id, self.now()).await
    }

    pub(super) async fn read_page(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
    ) -> Result<MessagePage, StoreError> {
        let now = self.now();
        let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
        let rows = sqlx::query(LIST)
            .bind(reseller.as_str())
            .bind(filter.before.as_ref().map(|id| id.as_bytes().as_slice()))
            .bind(Some(json(&states)).filter(|_| !states.is_empty()))
            .bind(json(&filter.labels))
            .bind(i64::from(filter.limit) + 1)
            .bind(now.as_microsecond())
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let messages =
            rows.iter().take(limit).map(|row| seen::message(row, reseller, now)).collect::<Result<_, _>>()?;
        Ok(MessagePage { messages, more: rows.len() > limit })
    }

    pub(super) async fn read_content(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
    ) -> Result<Option<Content>, StoreError> {
        let row = sqlx::query(CONTENT)
            .bind(reseller.as_str())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader())
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let cells = Cells::new(&row, "messages", reseller.as_str());
        Ok(Some(Content {
            body: cells.of("contents").get::<Vec<u8>>("body")?.into(),
            internet_message_id: cells.get("internet_message_id")?,
            create_time: cells.time("create_time")?,
        }))
    }

    pub(super) async fn read_accepted_before(
        &self,
        reseller: &ResellerId,
        request_id: &RequestId,
        content_hash: &ContentHash,
    ) -> Result<Option<Accepted>, StoreError> {
        let reader = self.reader();
        let row = sqlx::query(KEY)
            .bind(reseller.as_str())
            .bind(request_id.as_str())
            .fetch_optional(&reader)
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let cells = Cells::new(&row, "request_keys", reseller.as_str());
        if ContentHash(cells.bytes("content_hash")?) != *content_hash {
            return Ok(Some(Accepted::RequestIdReused));
        }
        let first = fetch(&reader, reseller, &cells.message_id()?, self.now()).await?;
        let first = first.ok_or_else(|| cells.bad("message_id"))?;
        Ok(Some(Accepted::Replayed(Box::new(first))))
    }
}

/// Within a write.
pub(super) async fn message(
    db: &mut SqliteConnection,
    reseller: &ResellerId,
    id: &MessageId,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    fetch(db, reseller, id, now).await
}

async fn fetch(
    db: impl SqliteExecutor<'_>,
    reseller: &ResellerId,
    id: &MessageId,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(GET)
        .bind(reseller.as_str())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(db)
        .await
        .map_err(failed)?;
    row.map(|row| seen::message(&row, reseller, now)).transpose()
}
