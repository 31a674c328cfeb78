//! A gRPC status as the contract describes it.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt as _};

/// All that a caller is told, without the id of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub reason: String,
    pub message: String,
    pub metadata: BTreeMap<String, String>,
    /// The paths of `BadRequest`, in order.
    pub fields: Vec<String>,
    /// Further details by their kind.
    pub further: Vec<String>,
}

impl Refusal {
    /// Panics where the status is not as the contract says: exactly one `ErrorInfo` of our domain, and `RequestInfo`.
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details_vec();
        let mut refusal = Self {
            code: status.code(),
            reason: String::new(),
            message: status.message().to_owned(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            further: Vec::new(),
        };
        let (mut infos, mut requests) = (0, 0);
        for detail in details {
            match detail {
                ErrorDetail::ErrorInfo(info) => {
                    infos += 1;
                    assert_eq!(info.domain, "postrider", "the domain of {status:?}");
                    refusal.reason = info.reason;
                    refusal.metadata = info.metadata.into_iter().collect();
                }
                ErrorDetail::RequestInfo(info) => {
                    requests += 1;
                    assert!(!info.request_id.is_empty(), "RequestInfo names the call: {status:?}");
                }
                ErrorDetail::BadRequest(bad) => {
                    refusal.fields =
                        bad.field_violations.into_iter().map(|violation| violation.field).collect();
                }
                ErrorDetail::RetryInfo(_) => refusal.further.push("RetryInfo".to_owned()),
                ErrorDetail::QuotaFailure(_) => refusal.further.push("QuotaFailure".to_owned()),
                ErrorDetail::PreconditionFailure(_) => refusal.further.push("PreconditionFailure".to_owned()),
                other => refusal.further.push(format!("{other:?}")),
            }
        }
        assert_eq!((infos, requests), (1, 1), "one ErrorInfo and one RequestInfo: {status:?}");
        refusal
    }

    /// Code and reason, which is what most tests ask for.
    pub fn kind(&self) -> (Code, &str) {
        (self.code, &self.reason)
    }
}

/// The reason of a status that is as the contract says.
pub fn reason(status: &Status) -> String {
    Refusal::of(status).reason
}

/// The paths of a status that refuses fields.
pub fn violations(status: &Status) -> Vec<String> {
    Refusal::of(status).fields
}
