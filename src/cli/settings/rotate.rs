//! `postrider settings rotate`: another credential is tried first, and taken only if it works.

use clap::Args;
use postrider_proto::v1::{PutSettingsRequest, Settings, TestLevel, TestSettingsRequest};

use super::candidate::SettingsFlags;
use super::{show, test};
use crate::cli::client::{Client, DEADLINE};
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    reseller: String,
    #[command(flatten)]
    flags: SettingsFlags,
}

/// The old credential stays in use until Entra has given a token for the new one; with the etag that was read before, so
/// that nobody's change is lost in between.
pub(super) async fn run(arguments: RotateArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let RotateArguments { reseller, flags } = arguments;
    let saved = super::read(&reseller, client).await.map_err(|status| client.refused(&status))?;
    let Some(saved) = saved else {
        return Err(Failure::usage(format_args!(
            "{reseller} has no settings: save them with `settings put`"
        )));
    };
    let settings = flags.merge(saved)?;
    if settings.credential.is_none() {
        return Err(Failure::usage("there is nothing to rotate to: give --client-secret-file"));
    }
    let request = TestSettingsRequest {
        reseller,
        candidate: Some(Settings { etag: String::new(), ..settings.clone() }),
        level: TestLevel::Token.into(),
        ..TestSettingsRequest::default()
    };
    let tested = client.settings(test::DEADLINE).test_settings(request).await;
    let tested = tested.map_err(|status| client.refused(&status))?.into_inner();
    if !tested.passed {
        screen.answer("postrider.v1.TestSettingsResponse", &tested, test::text)?;
        eprintln!("the new credential does not work: the old one stays in use");
        return Err(Failure::Answered);
    }
    let put = client.settings(DEADLINE).put_settings(PutSettingsRequest { settings: Some(settings) }).await;
    let put = put.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.PutSettingsResponse", &put, |response, screen| {
        response.settings.as_ref().map(|settings| show::text(settings, screen)).unwrap_or_default()
    })
}
