//! A reader of `WatchMessages`.

use postrider_proto::v1::{Message, MessageState, WatchMessagesRequest, WatchMessagesResponse};
use tonic::{Status, Streaming};

use crate::client::Client;
use crate::patience::in_time;

/// A stream that began: its first heartbeat has come.
pub struct Watching {
    events: Streaming<WatchMessagesResponse>,
    /// Where it stands: the last cursor received.
    pub cursor: String,
}

impl Client {
    /// Watches all of a reseller's from now on.
    pub async fn watches(&self, reseller: &str) -> Watching {
        self.watches_for(WatchMessagesRequest { reseller: reseller.to_owned(), ..Default::default() }).await
    }

    pub async fn watches_for(&self, request: WatchMessagesRequest) -> Watching {
        let watching = self.tries_to_watch(request).await;
        watching.unwrap_or_else(|status| panic!("the watch is refused: {status:?}"))
    }

    /// Watches, whatever comes of it; what is refused may be told by the stream alone.
    pub async fn tries_to_watch(&self, request: WatchMessagesRequest) -> Result<Watching, Status> {
        let events = self.mail().watch_messages(request).await?.into_inner();
        let mut watching = Watching { events, cursor: String::new() };
        let first = watching.answer().await?;
        assert!(first.message.is_none(), "the first is a heartbeat: {first:?}");
        Ok(watching)
    }
}

impl Watching {
    /// The next event, whatever heartbeats come before it.
    pub async fn event(&mut self) -> Message {
        loop {
            let answer = self.answer().await.unwrap_or_else(|status| panic!("the watch ended: {status:?}"));
            if let Some(message) = answer.message {
                return message;
            }
        }
    }

    pub async fn events(&mut self, count: usize) -> Vec<Message> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// The new states of the events up to the first with this one.
    pub async fn states_until(&mut self, last: MessageState) -> Vec<MessageState> {
        let mut states = Vec::new();
        while states.last() != Some(&last) {
            states.push(self.event().await.state());
        }
        states
    }

    /// How the stream ends, whatever comes before that.
    pub async fn end(mut self) -> Status {
        loop {
            if let Err(status) = self.answer().await {
                return status;
            }
        }
    }

    pub async fn answer(&mut self) -> Result<WatchMessagesResponse, Status> {
        let answer = in_time("the watch tells something", self.events.message()).await?;
        let answer = answer.expect("a stream that ends says why");
        self.cursor.clone_from(&answer.cursor);
        Ok(answer)
    }
}
