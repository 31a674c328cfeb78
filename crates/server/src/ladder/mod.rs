//! The ladder of a settings test: SHAPE → DIRECTORY → CREDENTIAL → PERMISSION → SEND.
//!
//! Each step needs the ones before; after a failed one the rest are skipped. DIRECTORY alone needs no more than a directory
//! and its cloud, so that a wrong value elsewhere and an unknown directory are told together. The candidate and the saved settings go the
//! same way, and a test neither reads nor writes the token cache: it shows what is true now. No step needs a permission
//! that sending does not need.
//!
//! PERMISSION only advises: with RBAC for Applications the right to send lives in Exchange, and the token does not show
//! it. The one honest proof is SEND, a real mail.

mod ask;
mod report;
mod send;
mod shape;

use std::sync::Arc;

use postrider_domain::{
    Cloud, Credential, DirectoryId, EmailAddress, Finding, RequestId, ResellerId, SettingsValues, Violations,
};
use postrider_store::ContentHash;

pub(crate) use report::{Progress, Report, Step, StepResult, StepStatus, Teller};

use self::report::Wrong;
use crate::app::App;
use crate::status::Refusal;

/// What is tested.
pub(crate) struct Trial {
    pub reseller: ResellerId,
    /// Where the directory is to be; `None` where that is malformed itself.
    pub place: Option<(Cloud, DirectoryId)>,
    /// `None`, as for the credential: `wrong` says why.
    pub values: Option<SettingsValues>,
    pub credential: Option<Credential>,
    /// Why there is none, of one that is saved: it cannot be read any more.
    pub lost: Option<Finding>,
    /// Of a federated one: it is not lent, to a test no more than to mail.
    pub source_is_anothers: bool,
    /// What of a candidate is malformed.
    pub wrong: Violations,
    /// Where the test mail goes; `None`: the sender mailbox itself.
    pub recipient: Option<EmailAddress>,
    /// The same request again sends no second mail.
    pub request_id: Option<RequestId>,
    pub content_hash: ContentHash,
    /// Whether to stop before SEND.
    pub token_only: bool,
}

/// Climbs as far as it goes, and tells of each step. An error is Postrider's own trouble; whatever is wrong with the settings is in the report.
pub(crate) async fn climb(app: &Arc<App>, trial: Trial, tell: Teller) -> Result<Report, Refusal> {
    let mut report = Report::told_by(tell);
    let started = report.begins(Step::Shape);
    let looked = shape::look(&trial, &app.proofs, app.clock.now());
    let looked = report.step(Step::Shape, started, looked);
    let Some((cloud, directory)) = &trial.place else {
        return Ok(report.rest_skipped());
    };
    let started = report.begins(Step::Directory);
    let found = ask::directory(app, *cloud, directory).await;
    // With a value that cannot be right the ladder ends; only what else is wrong is still of use.
    if looked.is_none() && found.as_ref().is_ok_and(|(.., advice)| advice.is_empty()) {
        report.told_nothing(
            Step::Directory,
            started,
            "SHAPE failed; looked up all the same, and it is there",
        );
        return Ok(report.rest_skipped());
    }
    let found = report.step(Step::Directory, started, found);
    let Some(((values, credential), ())) = looked.zip(found) else {
        return Ok(report.rest_skipped());
    };
    let started = report.begins(Step::Credential);
    let token = match credential {
        Ok(credential) => ask::token(app, &trial.reseller, values, credential).await,
        Err(lost) => {
            Err(Wrong { detail: "read the saved credential".to_owned(), findings: vec![lost.clone()] })
        }
    };
    let Some(token) = report.step(Step::Credential, started, token) else {
        return Ok(report.rest_skipped());
    };
    let started = report.begins(Step::Permission);
    report.step(Step::Permission, started, Ok(ask::permission(&token)));
    if trial.token_only {
        return Ok(report.rest_skipped());
    }
    let started = report.begins(Step::Send);
    let sent = send::send(app, &trial, values, &token).await?;
    report.message = sent.message;
    report.proven = sent.status == StepStatus::Passed && !sent.is_repeat;
    report.note(StepResult {
        step: Step::Send,
        status: sent.status,
        detail: sent.detail,
        findings: sent.findings,
        duration: Some(started.elapsed()),
    });
    Ok(report)
}
