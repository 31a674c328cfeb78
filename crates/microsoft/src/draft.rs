//! A mail that one request cannot carry: a draft is made, its files are added, and it is sent.
//!
//! Nothing leaves the mailbox before the last request, so that only that one can be in doubt. What stops before it is
//! given up, and the draft is deleted: at once, or, where Graph asked to be left alone or does not do it, later by whoever
//! is given the [`Left`] one. What a process left by dying is found by the next try, which looks for drafts with the
//! message's own Message-ID before it makes another.
//!
//! It needs `Mail.ReadWrite`. Whether the app has it is for Graph to say: the token does not show what Exchange grants.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postrider_domain::{Finding, FindingCode, Outcome, Verdict, limits};
use serde_json::Value;

use crate::classify::Step;
use crate::graph::{Came, Session};
use crate::payload::{Draft, Part};

/// Graph gives a new draft back with its texts.
const DRAFT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// With less time than this the sending is not begun: its answer could hardly be heard.
const SENDING_TIME: Duration = Duration::from_secs(5);
/// Before a deletion that failed is tried again, where Graph does not say when.
const DELETE_AGAIN: Duration = Duration::from_secs(5);

/// A draft that is still to be deleted.
pub(crate) struct Left {
    pub id: String,
    pub wait: Duration,
}

impl Session<'_> {
    pub(crate) async fn send_draft(&self, draft: Draft) -> (Verdict, Option<Left>) {
        let prepared = async {
            self.clear(&draft.message_id).await?;
            self.create(&draft).await
        };
        let id = match prepared.await {
            Ok(id) => id,
            Err(verdict) => return (*verdict, None),
        };
        if let Err(verdict) = self.fill(&id, &draft.files).await {
            return self.given_up(&id, *verdict).await;
        }
        self.hand_over(&id).await
    }

    /// Deletes the drafts that earlier tries of this message left behind.
    async fn clear(&self, message_id: &str) -> Result<(), Box<Verdict>> {
        let filter = format!("internetMessageId eq '{}'", message_id.replace('\'', "''"));
        let path = format!("/mailFolders/drafts/messages?$filter={}&$select=id", encoded(&filter));
        let came = self.prepare(Method::GET, &path, None, &[200]).await?;
        let listed: Value = serde_json::from_slice(&came.body).unwrap_or_default();
        let left = listed.get("value").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for id in left.iter().filter_map(|message| message.get("id")?.as_str()) {
            self.prepare(Method::DELETE, &format!("/messages/{}", encoded(id)), None, &[204, 404]).await?;
        }
        Ok(())
    }

    /// The draft's id.
    async fn create(&self, draft: &Draft) -> Result<String, Box<Verdict>> {
        let body = Some((self.content_type(), draft.create.clone()));
        let came = self.prepare(Method::POST, "/messages", body, &[201]).await?;
        let made: Value = serde_json::from_slice(&came.body).unwrap_or_default();
        let id = made.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| {
            let finding = Finding::new(FindingCode::MicrosoftRefused);
            let finding = finding.with("reason", "a draft was made, but its id was not told");
            Box::new(Verdict::of(Outcome::Deferred, finding))
        })
    }

    async fn fill(&self, id: &str, files: &[Part]) -> Result<(), Box<Verdict>> {
        for file in files {
            if file.fits_whole() {
                self.add_whole(id, file).await?;
            } else {
                self.upload(id, file).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn add_whole(&self, id: &str, file: &Part) -> Result<(), Box<Verdict>> {
        let path = format!("/messages/{}/attachments", encoded(id));
        let body = Some(("application/json", file.whole()));
        self.prepare(Method::POST, &path, body, &[201]).await.map(drop)
    }

    /// The one request of all that can be in doubt.
    async fn hand_over(&self, id: &str) -> (Verdict, Option<Left>) {
        if self.time_left() < SENDING_TIME {
            let finding = Finding::new(FindingCode::MicrosoftUnavailable)
                .with("reason", "its files took all of the call's time (microsoft.call_timeout)");
            return self.given_up(id, Verdict::of(Outcome::Deferred, finding)).await;
        }
        let request = self.request(Method::POST, &format!("/messages/{}/send", encoded(id)));
        let came = self.ask(Step::Send, request, Some(Bytes::new()), limits::ANSWER_BYTES_MAX).await;
        let verdict = self.verdict(came, Step::Send);
        match verdict.outcome {
            Outcome::Sent => (verdict, None),
            Outcome::InDoubt => (noted(verdict, "left as it is: if it was not sent it is in Drafts"), None),
            Outcome::Deferred | Outcome::Rejected => self.given_up(id, verdict).await,
        }
    }

    async fn given_up(&self, id: &str, mut verdict: Verdict) -> (Verdict, Option<Left>) {
        let left = |wait| Some(Left { id: id.to_owned(), wait });
        if let Some(wait) = verdict.retry_after.filter(|wait| !wait.is_zero()) {
            return (noted(verdict, LEFT_WHILE_ASKED_TO_WAIT), left(wait));
        }
        let request = self.request(Method::DELETE, &format!("/messages/{}", encoded(id)));
        match self.ask(Step::Prepare, request, None, limits::ANSWER_BYTES_MAX).await {
            Ok(Came { status: 204 | 404, .. }) => (verdict, None),
            came => {
                // Whatever was to become of the mail, its lane waits as this answer asks.
                verdict.retry_after = self.verdict(came, Step::Prepare).retry_after;
                let wait = verdict.retry_after.unwrap_or(DELETE_AGAIN);
                (noted(verdict, LEFT_FOR_NOW), left(wait))
            }
        }
    }

    /// One step before the sending, with one of these statuses or a verdict.
    pub(crate) async fn prepare(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        wanted: &[u16],
    ) -> Result<Came, Box<Verdict>> {
        let request = self.request(method, path);
        let came = match body {
            Some((content_type, body)) => {
                let request = request.header(CONTENT_TYPE, content_type);
                self.ask(Step::Prepare, request, Some(body), DRAFT_BYTES_MAX).await
            }
            None => self.ask(Step::Prepare, request, None, DRAFT_BYTES_MAX).await,
        };
        match came {
            Ok(came) if wanted.contains(&came.status) => Ok(came),
            came => Err(Box::new(self.verdict(came, Step::Prepare))),
        }
    }
}

const LEFT_WHILE_ASKED_TO_WAIT: &str = "in Drafts until Microsoft may be asked again, then deleted by this process; if it \
                                        ends before, by the message's next try, and if there is none it stays";
const LEFT_FOR_NOW: &str = "in Drafts: Microsoft did not delete it, which this process tries again; if it ends before, \
                            the message's next try does, and if there is none it stays";

fn noted(mut verdict: Verdict, draft: &str) -> Verdict {
    if let Some(finding) = &mut verdict.finding {
        finding.evidence.insert("draft".to_owned(), draft.to_owned());
    }
    verdict
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
