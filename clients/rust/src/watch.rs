//! A watch that goes on by itself: each break is taken up from the last cursor.

use std::time::Duration;

use futures::Stream;
use futures::stream::try_unfold;
use tokio::time::{sleep, timeout};
use tonic::{Code, Streaming};

use crate::v1::{WatchMessagesRequest, WatchMessagesResponse};
use crate::{Client, Error};

/// The service says something at least every 15 seconds. Three times that without a word is a stream that died unseen.
pub(crate) const SILENCE: Duration = Duration::from_secs(45);

struct Watch {
    client: Client,
    request: WatchMessagesRequest,
    stream: Option<Streaming<WatchMessagesResponse>>,
    attempt: u32,
    silence: Duration,
}

pub(crate) fn watch(
    client: Client,
    request: WatchMessagesRequest,
    silence: Duration,
) -> impl Stream<Item = Result<WatchMessagesResponse, Error>> + Send {
    let watch = Watch { client, request, stream: None, attempt: 0, silence };
    try_unfold(watch, async |mut watch| {
        loop {
            match watch.next().await {
                Ok(response) => {
                    watch.attempt = 0;
                    watch.request.cursor.clone_from(&response.cursor);
                    if response.message.is_some() {
                        return Ok(Some((response, watch)));
                    }
                }
                Err(error) => {
                    watch.stream = None;
                    let Some(delay) = error.delay_before_resume(watch.attempt) else { return Err(error) };
                    watch.attempt += 1;
                    sleep(delay).await;
                }
            }
        }
    })
}

impl Watch {
    async fn next(&mut self) -> Result<WatchMessagesResponse, Error> {
        let silent = || Error::without_status(Code::Cancelled, "the stream fell silent");
        timeout(self.silence, self.read()).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Opens the stream where there is none, and reads one response.
    async fn read(&mut self) -> Result<WatchMessagesResponse, Error> {
        if self.stream.is_none() {
            self.stream = Some(self.client.open_watch(self.request.clone()).await?);
        }
        let response = match &mut self.stream {
            Some(stream) => stream.message().await?,
            None => None,
        };
        response.ok_or_else(|| Error::without_status(Code::Ok, "the stream ended"))
    }
}
