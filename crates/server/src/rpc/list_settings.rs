//! `ListSettings`: those the caller may see, in order of their slug.

use std::sync::Arc;

use postrider_domain::{ResellerId, Violations};
use postrider_proto::v1;
use postrider_store::SettingsFilter;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, page, to_proto};
use crate::status::Refusal;

pub(super) async fn list_settings(
    app: Arc<App>,
    call: Authorised<v1::ListSettingsRequest>,
) -> Result<v1::ListSettingsResponse, Refusal> {
    let (request, now) = (call.request, app.clock.now());
    let mut violations = Violations::default();
    let state = from_proto::settings_state(request.status, &mut violations);
    let within = request.expiring_within.map(|span| from_proto::duration(span).ok_or("must not be negative"));
    let within = within.and_then(|span| violations.check("expiring_within", span));
    let filter = SettingsFilter {
        state,
        expiring_before: within.map(|span| now.saturating_add(span).unwrap_or(jiff::Timestamp::MAX)),
        resellers: call.caller.resellers().map(<[ResellerId]>::to_vec),
        after: page::after(&request.page_token, |text| ResellerId::parse(text).ok(), &mut violations),
        limit: page::size(request.page_size, &mut violations),
    };
    violations.into_result(Some(()))?;
    let found = app.store.list_settings(filter).await?;
    let last = found.settings.last().map(|settings| page::token(settings.reseller.as_str()));
    let mut settings = Vec::with_capacity(found.settings.len());
    for one in found.settings {
        let usage = app.store.usage(&one.reseller, now).await?;
        let refused = app.rotation.refused.of(&one.reseller);
        settings.push(to_proto::settings(one, refused, usage, now));
    }
    Ok(v1::ListSettingsResponse {
        settings,
        next_page_token: last.filter(|_| found.more).unwrap_or_default(),
    })
}
