//! `PauseSending` and `ResumeSending`: an operator stops a reseller's lane, and lets it go on.

use std::slice;
use std::sync::Arc;

use postrider_domain::{ResellerId, Violations, limits};
use postrider_proto::v1;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn pause_sending(
    app: Arc<App>,
    call: Authorised<v1::PauseSendingRequest>,
) -> Result<v1::PauseSendingResponse, Refusal> {
    let v1::PauseSendingRequest { reseller, reason } = call.request;
    let reseller = reasoned(&reseller, &reason)?;
    let store = app.store.clone().by(call.origin.act(slice::from_ref(&reseller), &[]));
    let paused = store.pause(&reseller, &reason).await?;
    let settings = changed(&app, paused, reseller).await?;
    Ok(v1::PauseSendingResponse { settings: Some(settings) })
}

pub(super) async fn resume_sending(
    app: Arc<App>,
    call: Authorised<v1::ResumeSendingRequest>,
) -> Result<v1::ResumeSendingResponse, Refusal> {
    let v1::ResumeSendingRequest { reseller, reason } = call.request;
    let reseller = reasoned(&reseller, &reason)?;
    let store = app.store.clone().by(call.origin.act(slice::from_ref(&reseller), &[]));
    let resumed = store.resume(&reseller).await?;
    let settings = changed(&app, resumed, reseller).await?;
    Ok(v1::ResumeSendingResponse { settings: Some(settings) })
}

fn reasoned(reseller: &str, reason: &str) -> Result<ResellerId, Refusal> {
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(reseller, &mut violations);
    if reason.chars().count() > limits::REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        let most = limits::REASON_CHARS_MAX;
        violations
            .push("reason", format!("must be at most {most} characters, none of them a control character"));
    }
    Ok(violations.into_result(reseller)?)
}

async fn changed(app: &App, is_there: bool, reseller: ResellerId) -> Result<v1::Settings, Refusal> {
    app.wakeup.lane_changed(&reseller);
    let settings = app.store.get_settings(&reseller).await?.filter(|_| is_there);
    let settings = settings.ok_or_else(|| Refusal::SettingsMissing(reseller.clone()))?;
    let (now, refused) = (app.clock.now(), app.rotation.refused.of(&reseller));
    let usage = app.store.usage(&reseller, now).await?;
    Ok(to_proto::settings(settings, refused, usage, now))
}
