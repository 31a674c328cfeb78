//! A draft whose mail was given up, and that could not be deleted at once: Graph asked to be left alone, or did not answer.
//!
//! Whoever is given one deletes it later, in the mailbox's pace. It is in memory alone, and good as long as its token.

use std::fmt;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use postrider_domain::{AccessToken, limits};
use uuid::Uuid;

use crate::answer::Head;
use crate::{Microsoft, http as wire};

/// `Debug` shows neither the mailbox nor the token.
pub struct LeftDraft {
    pub(crate) url: String,
    pub(crate) token: AccessToken,
    pub(crate) client_request_id: Uuid,
    /// Before that it is not asked for again.
    pub wait: Duration,
}

/// What became of a draft that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is not there, or not any more.
    Done,
    /// It may be tried again, after what Graph asked for.
    Again(Option<Duration>),
    /// The app may not do it any more.
    Refused,
}

impl LeftDraft {
    /// Until when it can be deleted.
    pub fn expire_time(&self) -> Timestamp {
        self.token.expire_time
    }
}

impl Microsoft {
    pub async fn delete_draft(&self, left: &LeftDraft) -> Deletion {
        let request = self.graph_request(Method::DELETE, &left.url, &left.token, left.client_request_id);
        let Ok(response) = wire::send(request.timeout(limits::TOKEN_TIMEOUT)).await else {
            return Deletion::Again(None);
        };
        match response.status().as_u16() {
            200..=299 | 404 => Deletion::Done,
            401 | 403 => Deletion::Refused,
            _ => Deletion::Again(Head::read(response.headers(), self.clock.now()).retry_after),
        }
    }
}

impl fmt::Debug for LeftDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeftDraft").field("wait", &self.wait).finish_non_exhaustive()
    }
}
