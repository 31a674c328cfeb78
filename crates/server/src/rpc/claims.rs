//! Which reseller a request is about, before anything else of it is looked at.

use postrider_proto::v1;

use crate::call::Claims;

macro_rules! names_reseller {
    ($($request:ident),+ $(,)?) => {$(
        impl Claims for v1::$request {
            fn reseller(&self) -> Option<&str> {
                Some(&self.reseller)
            }
        }
    )+};
}

macro_rules! names_none {
    ($($request:ident),+ $(,)?) => {$(
        impl Claims for v1::$request {
            fn reseller(&self) -> Option<&str> {
                None
            }
        }
    )+};
}

names_reseller!(
    SendMailRequest,
    BatchSendMailRequest,
    GetMessageRequest,
    ListMessagesRequest,
    CancelMessageRequest,
    RetryMessageRequest,
    RetryMessagesRequest,
    GetSettingsRequest,
    DeleteSettingsRequest,
    TestSettingsRequest,
    PauseSendingRequest,
    ResumeSendingRequest,
);
// What these answer is cut to what the caller may see: keys and lists by the handler. A watch and the audit log name a
// reseller or all; they come with their implementation.
names_none!(
    WatchMessagesRequest,
    ListSettingsRequest,
    CreateKeyRequest,
    ListKeysRequest,
    RevokeKeyRequest,
    ListAuditEventsRequest,
);

impl Claims for v1::PutSettingsRequest {
    fn reseller(&self) -> Option<&str> {
        Some(self.settings.as_ref().map_or("", |settings| &settings.reseller))
    }
}
