//! `ListAuditEvents`: who changed what, from the newest to the oldest.

use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::Violations;
use postrider_proto::v1;
use postrider_store::{AuditFilter, AuditPlace};

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, page, to_proto};
use crate::status::Refusal;

pub(super) async fn list_audit_events(
    app: Arc<App>,
    call: Authorised<v1::ListAuditEventsRequest>,
) -> Result<v1::ListAuditEventsResponse, Refusal> {
    let v1::ListAuditEventsRequest { reseller, start_time, end_time, page_size, page_token } = call.request;
    let mut violations = Violations::default();
    let v = &mut violations;
    let named = if reseller.is_empty() { None } else { from_proto::reseller(&reseller, v) };
    let since = from_proto::timestamp(start_time, "start_time", v).unwrap_or(Timestamp::MIN);
    let until = from_proto::timestamp(end_time, "end_time", v).unwrap_or(Timestamp::MAX);
    let end = AuditPlace::of_time(until);
    let after = page::after(&page_token, parse, v);
    let filter = AuditFilter {
        resellers: named.map(|one| vec![one]).or_else(|| call.caller.resellers().map(<[_]>::to_vec)),
        since,
        before: after.map_or(end.clone(), |after| after.min(end)),
        limit: page::size(page_size, v),
    };
    let filter = violations.into_result(Some(filter))?;
    let found = app.store.audit_events(filter).await?;
    let last = found.events.last().map(|event| page::token(&written(&AuditPlace::of(event))));
    Ok(v1::ListAuditEventsResponse {
        events: found.events.into_iter().map(to_proto::audit_event).collect(),
        next_page_token: last.filter(|_| found.more).unwrap_or_default(),
    })
}

pub(crate) fn written(AuditPlace { time, reseller, number }: &AuditPlace) -> String {
    format!("{}/{number}/{reseller}", time.as_microsecond())
}

pub(crate) fn parse(text: &str) -> Option<AuditPlace> {
    let mut parts = text.splitn(3, '/');
    let time = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let number = parts.next()?.parse().ok()?;
    Some(AuditPlace { time, number, reseller: parts.next()?.to_owned() })
}
