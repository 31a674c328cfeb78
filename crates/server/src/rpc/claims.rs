//! For which reseller each request is. How far a caller reaches is told by the table in `access/scopes.rs`.

use postrider_proto::v1;

use crate::access::ResellerClaim;
use crate::call::Claims;

macro_rules! names_one {
    ($($request:ident),+ $(,)?) => {$(
        impl Claims for v1::$request {
            fn claim(&self) -> ResellerClaim<'_> {
                ResellerClaim::One(&self.reseller)
            }
        }
    )+};
}

macro_rules! answers_the_callers_own {
    ($($request:ident),+ $(,)?) => {$(
        impl Claims for v1::$request {
            fn claim(&self) -> ResellerClaim<'_> {
                ResellerClaim::Mine
            }
        }
    )+};
}

names_one!(
    SendMailRequest,
    BatchSendMailRequest,
    GetMessageRequest,
    ListMessagesRequest,
    WatchMessagesRequest,
    CancelMessageRequest,
    RetryMessageRequest,
    RetryMessagesRequest,
    GetSettingsRequest,
    DeleteSettingsRequest,
    TestSettingsRequest,
    WatchSettingsTestRequest,
    PauseSendingRequest,
    ResumeSendingRequest,
    ListAuditEventsRequest,
);
answers_the_callers_own!(ListSettingsRequest, ListKeysRequest, RevokeKeyRequest);

impl Claims for v1::PutSettingsRequest {
    fn claim(&self) -> ResellerClaim<'_> {
        ResellerClaim::One(self.settings.as_ref().map_or("", |settings| &settings.reseller))
    }
}

impl Claims for v1::CreateKeyRequest {
    fn claim(&self) -> ResellerClaim<'_> {
        ResellerClaim::Each(&self.resellers)
    }
}
