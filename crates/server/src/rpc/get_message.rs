//! `GetMessage`.

use std::sync::Arc;

use postrider_domain::{MessageId, Violations};
use postrider_proto::v1;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::{from_proto, to_proto};
use crate::status::Refusal;

pub(super) async fn get_message(
    app: Arc<App>,
    call: Authorised<v1::GetMessageRequest>,
) -> Result<v1::GetMessageResponse, Refusal> {
    let request = call.request;
    let mut violations = Violations::default();
    let reseller = from_proto::reseller(&request.reseller, &mut violations);
    if request.message_id.is_empty() {
        violations.push("message_id", "is required");
    }
    let reseller = violations.into_result(reseller)?;
    // What is no id names no message.
    let id = MessageId::parse(&request.message_id).ok_or(Refusal::MessageNotFound)?;
    let message = app.store.get_message(&reseller, &id).await?.ok_or(Refusal::MessageNotFound)?;
    Ok(v1::GetMessageResponse { message: Some(to_proto::message(message)) })
}
