//! `ListMessages`: from the newest to the oldest.

use std::sync::Arc;

use postrider_domain::{MessageId, Violations};
use postrider_proto::v1;
use postrider_store::MessageFilter;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, page, to_proto};
use crate::status::Refusal;

pub(super) async fn list_messages(
    app: Arc<App>,
    call: Authorised<v1::ListMessagesRequest>,
) -> Result<v1::ListMessagesResponse, Refusal> {
    let request = call.request;
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(&request.reseller, &mut violations);
    let filter = MessageFilter {
        states: from_proto::states(&request.states, &mut violations),
        labels: violations.labels("labels", request.labels),
        before: page::after(&request.page_token, MessageId::parse, &mut violations),
        limit: page::size(request.page_size, &mut violations),
    };
    let reseller = violations.into_result(reseller)?;
    let found = app.store.list_messages(&reseller, filter).await?;
    let last = found.messages.last().map(|message| page::token(&message.id.to_string()));
    Ok(v1::ListMessagesResponse {
        messages: found.messages.into_iter().map(to_proto::message).collect(),
        next_page_token: last.filter(|_| found.more).unwrap_or_default(),
    })
}
