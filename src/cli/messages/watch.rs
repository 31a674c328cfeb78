//! `postrider messages watch`: each change as it happens, on a line of its own, until it is interrupted.
//!
//! A connection that breaks is made anew, to wherever the service is by then, and goes on after the last cursor.

use std::time::Duration;

use clap::Args;
use postrider_proto::v1::{Message, MessageState, WatchMessagesRequest, WatchMessagesResponse};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{colour, state};
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::screen::{Output, Screen, line, plain, say};
use crate::cli::{time, value, words};

/// The service is heard of at least every 15 s, or it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// [default: all resellers that the key may read].
    reseller: Option<String>,
    /// Only changes to one of these states.
    #[arg(long, ignore_case = true, value_delimiter = ',', value_parser = words::one_of(words::STATES))]
    state: Vec<MessageState>,
    /// Only messages with this label; of several, with all.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    /// Goes on after what was seen last [default: from now].
    #[arg(long)]
    cursor: Option<String>,
}

/// `connect` finds the service anew, where it is by then.
pub(super) async fn run(
    arguments: WatchArguments,
    client: &Client,
    connect: impl AsyncFn() -> Result<Client, Failure>,
    screen: &Screen,
) -> Result<(), Failure> {
    let mut request = WatchMessagesRequest {
        reseller: arguments.reseller.unwrap_or_default(),
        states: arguments.state.into_iter().map(i32::from).collect(),
        labels: value::map("--label", arguments.label)?,
        cursor: arguments.cursor.unwrap_or_default(),
    };
    let watched = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Ok(()),
        watched = watch(&mut request, client, connect, screen) => watched,
    };
    if !request.cursor.is_empty() {
        eprintln!("to go on from here: --cursor {}", plain(&request.cursor));
    }
    watched
}

/// Ends only with what another connection does not mend.
async fn watch(
    request: &mut WatchMessagesRequest,
    client: &Client,
    connect: impl AsyncFn() -> Result<Client, Failure>,
    screen: &Screen,
) -> Result<(), Failure> {
    let mut newest = None;
    loop {
        let client = newest.as_ref().unwrap_or(client);
        let delay = match follow(request, client, screen).await? {
            End::Silent => {
                eprintln!("the service is silent; connecting again");
                RECONNECT_AFTER
            }
            End::Said(status) => {
                let Some(delay) = mended_after(&status) else { return Err(client.refused(&status)) };
                eprintln!("{}; connecting again", plain(status.message()));
                delay
            }
        };
        newest = Some(reconnected(delay, &connect).await?);
    }
}

async fn reconnected(
    delay: Duration,
    connect: impl AsyncFn() -> Result<Client, Failure>,
) -> Result<Client, Failure> {
    loop {
        tokio::time::sleep(delay).await;
        match connect().await {
            Err(Failure::Failed(_)) => {}
            connected => return connected,
        }
    }
}

/// How a stream ends.
enum End {
    Said(Status),
    /// Nothing was said for too long, or the end without a reason.
    Silent,
}

/// Shows what comes, until it ends. `request` then goes on after what was shown.
async fn follow(
    request: &mut WatchMessagesRequest,
    client: &Client,
    screen: &Screen,
) -> Result<End, Failure> {
    let mut events = match client.endless_mail().watch_messages(request.clone()).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(End::Said(status)),
    };
    loop {
        let event = match tokio::time::timeout(SILENCE_MAX, events.message()).await {
            Ok(Ok(Some(event))) => event,
            Ok(Err(status)) => return Ok(End::Said(status)),
            Ok(Ok(None)) | Err(_) => return Ok(End::Silent),
        };
        show(&event, screen)?;
        request.cursor = event.cursor;
    }
}

/// When to connect again: when the service says so, or soon where the connection broke. None: its answer stands.
fn mended_after(status: &Status) -> Option<Duration> {
    let details = status.get_error_details();
    if details.error_info().is_some() {
        return details.retry_info()?.retry_delay;
    }
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled)
        .then_some(RECONNECT_AFTER)
}

/// A heartbeat is for programs alone.
fn show(event: &WatchMessagesResponse, screen: &Screen) -> Result<(), Failure> {
    match (screen.output(), &event.message) {
        (Output::Json, _) => say(&line("postrider.v1.WatchMessagesResponse", event)?),
        (Output::Text, Some(message)) => say(&text(message, screen)),
        (Output::Text, None) => Ok(()),
    }
}

fn text(message: &Message, screen: &Screen) -> String {
    screen.row(&[
        time::shown(message.update_time.as_ref()),
        plain(&message.reseller),
        plain(&message.message_id),
        screen.paint(colour(message.state()), state(message)),
        message.finding.as_ref().map(|finding| plain(&finding.code)).unwrap_or_default(),
        plain(&message.subject),
    ])
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let message = Message {
            reseller: "acme".to_owned(),
            message_id: "m1".to_owned(),
            state: MessageState::Sent.into(),
            update_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            subject: "two\nlines".to_owned(),
            ..Message::default()
        };
        let expected = "2027-01-15T08:00:00Z\tacme\tm1\tSENT\t\ttwo\u{fffd}lines";
        assert_eq!(text(&message, &Screen::piped()), expected);
    }

    #[test]
    fn what_the_service_means_for_good_ends_the_watch_and_a_broken_connection_does_not() {
        let said = |reason: &str, retry: Option<Duration>| {
            let mut details = ErrorDetails::new();
            details.set_error_info(reason, "postrider", []);
            if retry.is_some() {
                details.set_retry_info(retry);
            }
            Status::with_error_details(Code::Unavailable, "said", details)
        };
        assert_eq!(mended_after(&said("CURSOR_EXPIRED", None)), None);
        let soon = Duration::from_secs(7);
        assert_eq!(mended_after(&said("SHUTTING_DOWN", Some(soon))), Some(soon));
        assert_eq!(mended_after(&Status::unknown("broken pipe")), Some(RECONNECT_AFTER));
        assert_eq!(mended_after(&Status::permission_denied("a proxy says so")), None);
    }
}
