//! `postrider settings pause` and `resume`: an operator stops a reseller's sending, and lets it go on.

use clap::Args;
use postrider_proto::v1::{PauseSendingRequest, ResumeSendingRequest};

use super::show;
use crate::cli::client::{Client, DEADLINE};
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    reseller: String,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT", default_value_t, hide_default_value = true)]
    reason: String,
}

pub(super) async fn pause(arguments: Arguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let Arguments { reseller, reason } = arguments;
    let response = client.settings(DEADLINE).pause_sending(PauseSendingRequest { reseller, reason }).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.PauseSendingResponse", &response, |response, screen| {
        response.settings.as_ref().map(|settings| show::text(settings, screen)).unwrap_or_default()
    })
}

pub(super) async fn resume(arguments: Arguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let Arguments { reseller, reason } = arguments;
    let response = client.settings(DEADLINE).resume_sending(ResumeSendingRequest { reseller, reason }).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.ResumeSendingResponse", &response, |response, screen| {
        response.settings.as_ref().map(|settings| show::text(settings, screen)).unwrap_or_default()
    })
}
