//! `GetSettings`.

use std::sync::Arc;

use postrider_domain::Violations;
use postrider_proto::v1;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn get_settings(
    app: Arc<App>,
    call: Authorised<v1::GetSettingsRequest>,
) -> Result<v1::GetSettingsResponse, Refusal> {
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(&call.request.reseller, &mut violations);
    let reseller = violations.into_result(reseller)?;
    let settings =
        app.store.get_settings(&reseller).await?.ok_or_else(|| Refusal::SettingsMissing(reseller.clone()))?;
    let now = app.clock.now();
    let refused = app.rotation.refused.of(&reseller);
    let usage = app.store.usage(&reseller, now).await?;
    Ok(v1::GetSettingsResponse { settings: Some(to_proto::settings(settings, refused, usage, now)) })
}
