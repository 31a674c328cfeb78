//! `postrider messages`: what became of a reseller's mail, and what a person does about it.

mod again;
mod watch;

use clap::{Args, Subcommand};
use postrider_proto::v1::{
    Attempt, AttemptOutcome, CancelMessageRequest, GetMessageRequest, ListMessagesRequest,
    ListMessagesResponse, Message, MessageState,
};

use super::client::{Client, DEADLINE};
use super::failure::Failure;
use super::screen::{Colour, Screen, add, listed, plain};
use super::{finding, time, value, words};

/// Entries of a page when all are asked for.
const PAGE_ALL: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum MessagesCommand {
    /// Lists a reseller's messages, the newest first.
    List(ListArguments),
    /// Tells where one message is, with its finding and every attempt.
    Get {
        reseller: String,
        #[arg(value_name = "ID")]
        message_id: String,
    },
    /// Stops a message that has not been sent, and destroys its content.
    Cancel {
        reseller: String,
        #[arg(value_name = "ID")]
        message_id: String,
    },
    /// Sends a message again, or with a filter all that match.
    Retry(again::RetryArguments),
    /// Tells of every change as it happens, until it is interrupted.
    Watch(watch::WatchArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    reseller: String,
    /// Only messages in one of these states.
    #[arg(long, ignore_case = true, value_delimiter = ',', value_parser = words::one_of(words::STATES))]
    state: Vec<MessageState>,
    /// Only messages with this label; of several, with all.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    /// Messages of one page [default: 50].
    #[arg(long, value_name = "COUNT", conflicts_with = "all")]
    page_size: Option<i32>,
    /// Goes on after the last page.
    #[arg(long, value_name = "TOKEN", conflicts_with = "all")]
    page_token: Option<String>,
    /// All pages.
    #[arg(long)]
    all: bool,
}

/// `connect` makes another connection, for what outlives one.
pub(crate) async fn run(
    command: MessagesCommand,
    client: &Client,
    connect: impl AsyncFn() -> Result<Client, Failure>,
    screen: &Screen,
) -> Result<(), Failure> {
    match command {
        MessagesCommand::List(arguments) => list(arguments, client, screen).await,
        MessagesCommand::Get { reseller, message_id } => {
            let request = GetMessageRequest { reseller, message_id };
            let response = client.mail(DEADLINE).get_message(request).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            screen.answer("postrider.v1.GetMessageResponse", &response, |response, screen| {
                optional_text(response.message.as_ref(), screen)
            })
        }
        MessagesCommand::Cancel { reseller, message_id } => {
            let request = CancelMessageRequest { reseller, message_id };
            let response = client.mail(DEADLINE).cancel_message(request).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            screen.answer("postrider.v1.CancelMessageResponse", &response, |response, screen| {
                optional_text(response.message.as_ref(), screen)
            })
        }
        MessagesCommand::Retry(arguments) => again::run(arguments, client, screen).await,
        MessagesCommand::Watch(arguments) => watch::run(arguments, client, connect, screen).await,
    }
}

fn optional_text(message: Option<&Message>, screen: &Screen) -> String {
    message.map(|message| text(message, screen)).unwrap_or_default()
}

async fn list(arguments: ListArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let mut request = ListMessagesRequest {
        reseller: arguments.reseller,
        states: arguments.state.into_iter().map(i32::from).collect(),
        labels: value::map("--label", arguments.label)?,
        page_size: if arguments.all { PAGE_ALL } else { arguments.page_size.unwrap_or_default() },
        page_token: arguments.page_token.unwrap_or_default(),
    };
    let mut mail = client.mail(DEADLINE);
    let mut listed = ListMessagesResponse::default();
    loop {
        let page = mail.list_messages(request.clone()).await;
        let page = page.map_err(|status| client.refused(&status))?.into_inner();
        listed.messages.extend(page.messages);
        listed.next_page_token.clone_from(&page.next_page_token);
        if !arguments.all || page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    screen.answer("postrider.v1.ListMessagesResponse", &listed, table)?;
    if !listed.next_page_token.is_empty() {
        eprintln!("there are more: --page-token {}, or --all", plain(&listed.next_page_token));
    }
    Ok(())
}

fn table(response: &ListMessagesResponse, screen: &Screen) -> String {
    let row = |message: &Message| {
        vec![
            plain(&message.message_id),
            state(message).to_owned(),
            time::shown(message.create_time.as_ref()),
            message.recipient_count.to_string(),
            message.finding.as_ref().map(|finding| plain(&finding.code)).unwrap_or_default(),
            plain(&message.subject),
        ]
    };
    let rows: Vec<_> = response.messages.iter().map(row).collect();
    screen.table(&["ID", "STATE", "ACCEPTED", "RECIPIENTS", "FINDING", "SUBJECT"], &rows)
}

/// One message with its finding and its attempts.
pub(crate) fn text(message: &Message, screen: &Screen) -> String {
    let labels: Vec<_> = message.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut text = listed(&[
        ("message", plain(&message.message_id)),
        ("state", screen.paint(colour(message.state()), state(message))),
        ("subject", plain(&message.subject)),
        ("recipients", message.recipient_count.to_string()),
        ("request id", plain(&message.request_id)),
        ("Message-ID", plain(&message.internet_message_id)),
        ("labels", plain(&labels.join(" "))),
        ("accepted", time::shown(message.create_time.as_ref())),
        ("send time", time::shown(message.send_time.as_ref())),
        ("next attempt", time::shown(message.next_attempt_time.as_ref())),
        ("expires", time::shown(message.expire_time.as_ref())),
    ]);
    if let Some(finding) = &message.finding {
        text += "\n";
        text += &finding::text(finding, "", screen);
    }
    if !message.attempts.is_empty() {
        add(&mut text, format_args!("\n{}\n", screen.paint(Colour::Bold, "Attempts")));
        text.extend(message.attempts.iter().map(attempt));
    }
    text
}

fn attempt(attempt: &Attempt) -> String {
    let outcome = match attempt.outcome() {
        AttemptOutcome::Unspecified => "UNDER_WAY",
        outcome => words::short(outcome.as_str_name(), "ATTEMPT_OUTCOME_"),
    };
    let started = time::shown(attempt.start_time.as_ref());
    let mut text = format!("  {}  {started}  {outcome}", attempt.number);
    if let Some(finding) = &attempt.finding {
        add(&mut text, format_args!("  {}", finding::line(finding)));
    }
    if !attempt.graph_request_id.is_empty() {
        add(&mut text, format_args!("  (Graph request {})", plain(&attempt.graph_request_id)));
    }
    text + "\n"
}

fn state(message: &Message) -> &'static str {
    words::short(message.state().as_str_name(), "MESSAGE_STATE_")
}

fn colour(state: MessageState) -> Colour {
    match state {
        MessageState::Sent | MessageState::Delivered => Colour::Green,
        MessageState::Failed
        | MessageState::Expired
        | MessageState::Bounced
        | MessageState::OutcomeUnknown => Colour::Red,
        MessageState::Held | MessageState::Deferred | MessageState::Cancelled => Colour::Yellow,
        MessageState::Unspecified
        | MessageState::Accepted
        | MessageState::Scheduled
        | MessageState::Sending => Colour::Bold,
    }
}

#[cfg(test)]
mod tests {
    use postrider_proto::v1::{Finding, FindingClass};

    use super::*;

    fn held() -> Message {
        let finding = Finding {
            code: "SECRET_EXPIRED".to_owned(),
            class: FindingClass::Settings.into(),
            title: "The client secret has expired".to_owned(),
            mend: "Create a new one.".to_owned(),
            ..Finding::default()
        };
        let attempt = Attempt {
            number: 1,
            start_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            outcome: AttemptOutcome::Deferred.into(),
            finding: Some(finding.clone()),
            graph_request_id: "g1".to_owned(),
            ..Attempt::default()
        };
        Message {
            reseller: "acme".to_owned(),
            message_id: "m1".to_owned(),
            state: MessageState::Held.into(),
            subject: "Hello".to_owned(),
            recipient_count: 2,
            finding: Some(finding),
            attempts: vec![attempt],
            ..Message::default()
        }
    }

    #[test]
    fn a_message_tells_its_state_its_mend_and_its_attempts() {
        insta::assert_snapshot!(text(&held(), &Screen::piped()), @r"
        message     m1
        state       HELD
        subject     Hello
        recipients  2

        SECRET_EXPIRED: The client secret has expired
        What to do
          Create a new one.

        Attempts
          1  2027-01-15T08:00:00Z  DEFERRED  SECRET_EXPIRED: The client secret has expired  (Graph request g1)
        ");
    }

    #[test]
    fn a_list_has_one_line_a_message() {
        let response = ListMessagesResponse { messages: vec![held()], next_page_token: String::new() };
        let table = table(&response, &Screen::piped());
        assert_eq!(table.lines().nth(1), Some("m1\tHELD\t\t2\tSECRET_EXPIRED\tHello"));
    }
}
