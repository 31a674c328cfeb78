//! `DeleteSettings`: the credential goes, the history stays without content.

use std::slice;
use std::sync::Arc;

use postrider_credential_store::Deletion;
use postrider_domain::{Etag, MessageState, Violations};
use postrider_proto::v1;
use postrider_store::Deleted;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::from_proto;
use crate::status::{Refusal, with_sources};

pub(super) async fn delete_settings(
    app: Arc<App>,
    call: Authorised<v1::DeleteSettingsRequest>,
) -> Result<v1::DeleteSettingsResponse, Refusal> {
    let request = call.request;
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(&request.reseller, &mut violations);
    let reseller = violations.into_result(reseller)?;
    let etag = Some(request.etag).filter(|etag| !etag.is_empty()).map(Etag::of_store);
    let now = app.clock.now();
    let cancels = if request.cancel_unfinished { "true" } else { "false" };
    let act = call.origin.act(slice::from_ref(&reseller), &[("cancel_unfinished", cancels)]);
    let store = app.store.clone().by(act);
    let saved = store.get_settings(&reseller).await?;
    let unfinished = store.usage(&reseller, now).await?.queued_messages;
    match store.delete_settings(&reseller, etag.as_ref(), request.cancel_unfinished, now).await? {
        Deleted::Done => app.metrics.finished(&reseller, MessageState::Cancelled, unfinished.into()),
        Deleted::Missing => return Err(Refusal::SettingsMissing(reseller)),
        Deleted::EtagMismatch => return Err(Refusal::EtagMismatch),
        Deleted::Unfinished(_) => return Err(Refusal::MessagesUnfinished),
        Deleted::InFlight(count) => return Err(Refusal::MessagesInFlight(count)),
    }
    app.rotation.refused.forget(&reseller);
    app.tokens.forget_reseller(&reseller);
    app.wakeup.lane_changed(&reseller);
    let Some(saved) = saved else { return Ok(v1::DeleteSettingsResponse {}) };
    let deletion =
        Deletion { in_use: &saved.credential.version, time: now, clocks_differ: app.keep_replaced };
    // The settings are gone, whatever becomes of this: a repeat would find nothing to delete. The janitor comes again.
    if let Err(error) = app.credentials.destroy_deleted(&reseller, deletion).await {
        let error = with_sources(&error);
        tracing::warn!(event = "pruning_failed", %reseller, error, "the deleted settings' credential is left for the janitor");
    }
    Ok(v1::DeleteSettingsResponse {})
}
