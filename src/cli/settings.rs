//! `postrider settings`: what a reseller's mail is sent with, and whether it works.

mod candidate;
mod credential;
mod rotate;
mod show;
mod test;

use clap::{Args, Subcommand};
use postrider_proto::v1::{
    DeleteSettingsRequest, GetSettingsRequest, ListSettingsRequest, ListSettingsResponse, PutSettingsRequest,
    Settings, SettingsState,
};
use tonic::Status;
use tonic_types::StatusExt;

use self::candidate::SettingsFlags;
use super::client::{Client, DEADLINE};
use super::failure::Failure;
use super::screen::Screen;
use super::{time, words};

/// Entries of a page; all pages are read.
const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Saves settings. What is not given stays as it is; the credential too.
    Put(PutArguments),
    /// Shows a reseller's settings, without the secret.
    Get { reseller: String },
    /// Tries the saved settings, or with flags of `put` these, in five steps up to a test mail.
    Test(test::TestArguments),
    /// Tries another credential, and saves it only if it works; until then the old one stays in use.
    Rotate(rotate::RotateArguments),
    /// Lists the settings of all resellers.
    List {
        /// Only settings in this state.
        #[arg(long, ignore_case = true, value_parser = words::one_of(words::SETTINGS_STATES))]
        state: Option<SettingsState>,
        /// Only settings whose credential is known to end within this span, such as 30d, or has ended.
        #[arg(long, value_name = "SPAN", value_parser = time::span)]
        expiring_within: Option<prost_types::Duration>,
    },
    /// Destroys a reseller's settings and credential. The history of its messages stays, without content.
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    reseller: String,
    #[command(flatten)]
    flags: SettingsFlags,
    /// The etag that the settings must have [default: the one they have when read just before].
    #[arg(long)]
    etag: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    reseller: String,
    /// Cancel the messages that are still to be sent.
    #[arg(long)]
    cancel_unfinished: bool,
    /// The etag that the settings must have [default: no check].
    #[arg(long)]
    etag: Option<String>,
}

pub(crate) async fn run(command: SettingsCommand, client: &Client, screen: &Screen) -> Result<(), Failure> {
    match command {
        SettingsCommand::Put(arguments) => put(arguments, client, screen).await,
        SettingsCommand::Get { reseller } => {
            let response = client.settings(DEADLINE).get_settings(GetSettingsRequest { reseller }).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            screen.answer("postrider.v1.GetSettingsResponse", &response, |response, screen| {
                response.settings.as_ref().map(|settings| show::text(settings, screen)).unwrap_or_default()
            })
        }
        SettingsCommand::Test(arguments) => test::run(arguments, client, screen).await,
        SettingsCommand::Rotate(arguments) => rotate::run(arguments, client, screen).await,
        SettingsCommand::List { state, expiring_within } => {
            let request = ListSettingsRequest {
                page_size: PAGE_SIZE,
                status: state.unwrap_or_default().into(),
                expiring_within,
                ..ListSettingsRequest::default()
            };
            list(request, client, screen).await
        }
        SettingsCommand::Delete(arguments) => delete(arguments, client, screen).await,
    }
}

/// Reads, merges the flags, puts with the etag that was read.
async fn put(arguments: PutArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let PutArguments { reseller, flags, etag } = arguments;
    if flags.is_empty() {
        return Err(Failure::usage("nothing to put: see `postrider settings put --help`"));
    }
    let read = read(&reseller, client).await;
    let saved = read
        .map_err(|status| client.refused(&status))?
        .unwrap_or(Settings { reseller, ..Settings::default() });
    let mut settings = flags.merge(saved)?;
    if let Some(etag) = etag {
        settings.etag = etag;
    }
    let response =
        client.settings(DEADLINE).put_settings(PutSettingsRequest { settings: Some(settings) }).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.PutSettingsResponse", &response, |response, screen| {
        response.settings.as_ref().map(|settings| show::text(settings, screen)).unwrap_or_default()
    })
}

/// The saved settings, if there are any.
pub(crate) async fn read(reseller: &str, client: &Client) -> Result<Option<Settings>, Status> {
    let request = GetSettingsRequest { reseller: reseller.to_owned() };
    match client.settings(DEADLINE).get_settings(request).await {
        Ok(response) => Ok(response.into_inner().settings),
        Err(status) if has_reason(&status, "SETTINGS_MISSING") => Ok(None),
        Err(status) => Err(status),
    }
}

fn has_reason(status: &Status, reason: &str) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == reason)
}

async fn list(mut request: ListSettingsRequest, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let mut listed = ListSettingsResponse::default();
    loop {
        let page = client.settings(DEADLINE).list_settings(request.clone()).await;
        let page = page.map_err(|status| client.refused(&status))?.into_inner();
        listed.settings.extend(page.settings);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    screen.answer("postrider.v1.ListSettingsResponse", &listed, show::table)
}

async fn delete(arguments: DeleteArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let DeleteArguments { reseller, cancel_unfinished, etag } = arguments;
    let request = DeleteSettingsRequest {
        reseller: reseller.clone(),
        etag: etag.unwrap_or_default(),
        cancel_unfinished,
    };
    let response = client.settings(DEADLINE).delete_settings(request).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.DeleteSettingsResponse", &response, |_, _| {
        format!("the settings of {reseller} and their credential are destroyed")
    })
}
