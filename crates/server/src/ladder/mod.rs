//! The ladder of a settings test: SHAPE → DIRECTORY → CREDENTIAL → PERMISSION → SEND.
//!
//! Each step needs the one before; after a failed one the rest are skipped. The candidate and the saved settings go the
//! same way, and a test neither reads nor writes the token cache: it shows what is true now.
//!
//! PERMISSION only advises: with RBAC for Applications the right to send lives in Exchange, and the token does not show
//! it. The one honest proof is SEND, a real mail.

mod report;
mod send;
mod shape;

use std::sync::Arc;

use postrider_domain::{
    AccessToken, Credential, EmailAddress, Finding, FindingCode, RequestId, ResellerId, SettingsValues,
    Violations, expiry_finding,
};
use postrider_microsoft::roles;
use postrider_store::ContentHash;
use tokio::time::Instant;

pub(crate) use report::{Report, Step, StepResult, StepStatus};

use crate::app::App;
use crate::status::Refusal;

/// What is tested.
pub(crate) struct Trial {
    pub reseller: ResellerId,
    /// `None`, as for the credential: `wrong` says why.
    pub values: Option<SettingsValues>,
    pub credential: Option<Credential>,
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

/// Climbs as far as it goes. An error is Postrider's own trouble; whatever is wrong with the settings is in the report.
pub(crate) async fn climb(app: &Arc<App>, trial: Trial) -> Result<Report, Refusal> {
    let mut report = Report::default();
    let Some((values, credential)) = report.step(Step::Shape, Instant::now(), shape::look(&trial)) else {
        return Ok(report.rest_skipped());
    };
    let started = Instant::now();
    let found = app.microsoft.discover(values.cloud, &values.directory).await;
    if report
        .step(Step::Directory, started, found.map(|_| ((), Vec::new())).map_err(|finding| vec![finding]))
        .is_none()
    {
        return Ok(report.rest_skipped());
    }
    let started = Instant::now();
    let token = app.microsoft.token(values.cloud, &values.directory, &values.client, credential).await;
    let advice = expiry_finding(credential.expire_time(), app.clock.now());
    let token =
        token.map(|token| (token, advice.into_iter().collect())).map_err(|refusal| vec![*refusal.finding]);
    let Some(token) = report.step(Step::Credential, started, token) else {
        return Ok(report.rest_skipped());
    };
    report.step(Step::Permission, Instant::now(), Ok(((), permission(&token))));
    if trial.token_only {
        return Ok(report.rest_skipped());
    }
    let started = Instant::now();
    let sent = send::send(app, &trial, values, &token).await?;
    report.message = sent.message;
    report.proven = sent.status == StepStatus::Passed && !sent.is_repeat;
    let (status, findings) = (sent.status, sent.findings);
    let duration = Some(started.elapsed());
    report.steps.push(StepResult { step: Step::Send, status, findings, duration });
    Ok(report)
}

/// What the token says of what it may do. Advice, never a verdict.
fn permission(token: &AccessToken) -> Vec<Finding> {
    let told = roles(token);
    if !told.is_known || told.has("Mail.Send") {
        return Vec::new();
    }
    let code = if told.is_delegated {
        FindingCode::DelegatedNotApplication
    } else if told.roles.is_empty() {
        FindingCode::ConsentMissing
    } else {
        FindingCode::MailSendMissing
    };
    vec![Finding::new(code).with("roles", told.roles.join(" "))]
}
