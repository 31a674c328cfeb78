//! `postrider messages retry`: one message, or all that match, under their old ids.

use clap::{ArgGroup, Args};
use postrider_proto::v1::{MessageState, RetryMessageRequest, RetryMessagesRequest};

use super::optional_text;
use crate::cli::client::{Client, DEADLINE};
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;
use crate::cli::{value, words};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["message_id", "state", "label"]).multiple(true).required(true))]
pub(crate) struct RetryArguments {
    reseller: String,
    #[arg(value_name = "ID", conflicts_with_all = ["state", "label"])]
    message_id: Option<String>,
    /// All messages in one of these states [default, with --label: failed,expired].
    #[arg(long, ignore_case = true, value_delimiter = ',', value_parser = words::one_of(words::STATES))]
    state: Vec<MessageState>,
    /// All messages with this label; of several, with all.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    /// Also where nobody knows whether Microsoft took it, so that it may arrive twice.
    #[arg(long)]
    accept_duplicate: bool,
}

pub(super) async fn run(arguments: RetryArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let RetryArguments { reseller, message_id, state, label, accept_duplicate } = arguments;
    let mut mail = client.mail(DEADLINE);
    if let Some(message_id) = message_id {
        let request = RetryMessageRequest { reseller, message_id, accept_duplicate };
        let response = mail.retry_message(request).await;
        let response = response.map_err(|status| client.refused(&status))?.into_inner();
        return screen.answer("postrider.v1.RetryMessageResponse", &response, |response, screen| {
            optional_text(response.message.as_ref(), screen)
        });
    }
    let request = RetryMessagesRequest {
        reseller,
        states: state.into_iter().map(i32::from).collect(),
        labels: value::map("--label", label)?,
        accept_duplicate,
    };
    let response = mail.retry_messages(request).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.RetryMessagesResponse", &response, |response, _| {
        format!("{} retried", response.retried_count)
    })
}
