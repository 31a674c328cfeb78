//! `WatchMessages`: events after a cursor, as they are committed, and heartbeats between.
//!
//! Rules
//! - No gap and no repetition: each answer carries the cursor that goes on after it.
//! - A lane that was stopped or freed changes how its waiting messages read: they follow its event one by one, whatever has
//!   become of them since.
//! - A reader costs one page of events. One that does not read is told to come back with its cursor.
//! - The right to read is looked at again with every page and heartbeat.

pub(crate) mod cursor;
mod filter;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Message;
use postrider_proto::v1;
use postrider_store::{Change, Event};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

pub(crate) use self::cursor::Cursor;
pub(crate) use self::filter::{Filter, Whose};
use crate::access::Caller;
use crate::app::App;
use crate::convert::to_proto;
use crate::status::{CallId, Refusal};

pub(crate) type Answers = ReceiverStream<Result<v1::WatchMessagesResponse, Status>>;

/// Events, or waiting messages, of one read.
const PAGE: u32 = 100;
/// The longest silence.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long an answer waits for its reader.
const READER_PATIENCE: Duration = Duration::from_secs(30);
/// How often the right to read is looked at while nothing happens.
const RIGHT_LOOK: Duration = Duration::from_millis(500);

/// One reader.
pub(crate) struct Watch {
    pub app: Arc<App>,
    pub call: CallId,
    pub caller: Caller,
    pub filter: Filter,
    pub cursor: Cursor,
    /// Of the database, as the reader came.
    pub epoch: Option<String>,
    /// When the reader hears something at the latest, if only where it stands.
    pub heartbeat: Instant,
}

/// Why a stream ends.
enum End {
    Refused(Refusal),
    /// The reader is gone.
    Gone,
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<postrider_store::StoreError> for End {
    fn from(error: postrider_store::StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl Watch {
    /// The stream, fed by a task of its own until its reader is gone.
    pub(crate) fn start(self) -> Answers {
        let (answers, stream) = mpsc::channel(1);
        let app = Arc::clone(&self.app);
        app.tasks.spawn(self.run(answers));
        ReceiverStream::new(stream)
    }

    async fn run(mut self, answers: mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>) {
        if let Err(End::Refused(refusal)) = self.feed(&answers).await {
            let last = Err(refusal.into_status(self.call));
            drop(tokio::time::timeout(READER_PATIENCE, answers.send(last)).await);
        }
    }

    async fn feed(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
    ) -> Result<(), End> {
        // Before the first read: what comes after it is heard of.
        let mut changes = self.app.store.changes();
        self.answer(answers, None).await?;
        loop {
            while self.next_page(answers).await? {
                // None of its events may have been the reader's.
                self.beats(answers).await?;
            }
            let look_again = Instant::now() + self.app.look_every;
            loop {
                let wake = self.heartbeat.min(look_again).min(Instant::now() + RIGHT_LOOK);
                tokio::select! {
                    biased;
                    () = self.app.shutdown.cancelled() => return Err(Refusal::ShuttingDown.into()),
                    () = answers.closed() => return Err(End::Gone),
                    change = changes.recv() => match change {
                        Ok(change) if !self.filter.may_be_of(&change) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return Err(Refusal::ShuttingDown.into()),
                    },
                    () = tokio::time::sleep_until(wake) => {}
                }
                self.look_at_right().await?;
                self.beats(answers).await?;
                if Instant::now() >= look_again {
                    break;
                }
            }
        }
    }

    async fn beats(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
    ) -> Result<(), End> {
        if Instant::now() >= self.heartbeat { self.answer(answers, None).await } else { Ok(()) }
    }

    /// Whether there was a page.
    async fn next_page(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
    ) -> Result<bool, End> {
        self.look_at_right().await?;
        let store = &self.app.store;
        let page = match &self.cursor {
            Cursor::OfOne { number, .. } => {
                let Some(reseller) = self.filter.reseller() else { return Ok(false) };
                store.events(reseller, *number, PAGE).await?
            }
            Cursor::OfAll { position, .. } => store.all_events(position, PAGE).await?,
        };
        let events = page.ok_or(Refusal::CursorExpired)?;
        let any = !events.is_empty();
        let mut events = VecDeque::from(events);
        while let Some(event) = events.pop_front() {
            self.tell(answers, event).await?;
        }
        Ok(any)
    }

    async fn tell(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
        event: Event,
    ) -> Result<(), End> {
        if matches!(event.change, Change::Lane { .. }) && self.filter.is_of(&event.reseller) {
            self.tell_of_lane(answers, &event).await?;
        }
        self.cursor = self.cursor.after(&event);
        match event.change {
            Change::Message(Some(message)) if self.filter.takes(&message) => {
                self.answer(answers, Some(*message)).await
            }
            _ => Ok(()),
        }
    }

    /// The messages that waited then, as they read since.
    async fn tell_of_lane(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
        event: &Event,
    ) -> Result<(), End> {
        loop {
            let waited = self.app.store.waited(event, self.cursor.within(), PAGE).await?;
            let Some(last) = waited.last().map(|message| message.id) else { return Ok(()) };
            for message in waited {
                self.cursor = self.cursor.at(message.id);
                if self.filter.takes(&message) {
                    self.answer(answers, Some(message)).await?;
                }
            }
            self.cursor = self.cursor.at(last);
            self.look_at_right().await?;
        }
    }

    async fn answer(
        &mut self,
        answers: &mpsc::Sender<Result<v1::WatchMessagesResponse, Status>>,
        message: Option<Message>,
    ) -> Result<(), End> {
        let answer = v1::WatchMessagesResponse {
            cursor: self.cursor.to_text(self.epoch.as_deref()),
            message: message.map(to_proto::message),
        };
        self.heartbeat = Instant::now() + HEARTBEAT;
        match tokio::time::timeout(READER_PATIENCE, answers.send(Ok(answer))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(Refusal::ReaderTooSlow.into()),
        }
    }

    /// The key may have been revoked, or have expired.
    async fn look_at_right(&self) -> Result<(), End> {
        Ok(self.app.access.look_again(&self.caller).await?)
    }
}
