//! The trait [`Events`].

use async_trait::async_trait;
use postrider_domain::{Message, MessageId, ResellerId};
use tokio::sync::broadcast;

use super::{Backend, sealing};
use crate::StoreError;
use crate::reads::Reads;
use crate::verbs::BeginEpoch;
use crate::watch::{Change, Changed, Event, Events, KeptEvents, Position};

#[async_trait]
impl<B: Backend> Events for B {
    async fn events(
        &self,
        reseller: &ResellerId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<Event>>, StoreError> {
        let mut events = self.reads().events(reseller, after, limit).await?;
        sealing::opened(self, messages(&mut events)).await?;
        if events.first().is_some_and(|first| first.number == after + 1) {
            return Ok(Some(events));
        }
        let KeptEvents { first, last } = self.reads().kept_events(reseller).await?;
        let is_whole = after <= last && first.unwrap_or(last + 1) <= after + 1;
        Ok(is_whole.then_some(events))
    }

    async fn last_event(&self, reseller: &ResellerId) -> Result<i64, StoreError> {
        Ok(self.reads().kept_events(reseller).await?.last)
    }

    async fn all_events(&self, after: &Position, limit: u32) -> Result<Option<Vec<Event>>, StoreError> {
        let mut events = self.reads().all_events(after, limit).await?;
        sealing::opened(self, messages(&mut events)).await?;
        // Looked at after the read: what was purged before it is noticed.
        let purged = self.reads().purged_position().await?;
        let is_known = !events.is_empty() || after.order <= self.reads().last_position().await?;
        Ok((after.order >= purged && is_known).then_some(events))
    }

    async fn last_position(&self) -> Result<Position, StoreError> {
        let order = self.reads().last_position().await?;
        // After every event of that transaction.
        Ok(Position { order, reseller: "~".to_owned(), number: i64::MAX })
    }

    async fn epoch(&self) -> Result<Option<String>, StoreError> {
        self.reads().epoch().await
    }

    async fn begin_epoch(&self, epoch: &str) -> Result<(), StoreError> {
        self.write(BeginEpoch { epoch: epoch.to_owned() }).await
    }

    async fn waited(
        &self,
        of_lane: &Event,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut waited = self.reads().waited(of_lane, after, limit).await?;
        sealing::opened(self, waited.iter_mut()).await?;
        Ok(waited)
    }

    fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changed().subscribe()
    }
}

fn messages(events: &mut [Event]) -> impl Iterator<Item = &mut Message> {
    events.iter_mut().filter_map(|event| match &mut event.change {
        Change::Message(message) => message.as_deref_mut(),
        Change::Lane { .. } => None,
    })
}
