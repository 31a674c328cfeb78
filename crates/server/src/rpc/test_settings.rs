//! `TestSettings`: a candidate, or what is saved, climbs the ladder. A failed test is an answer, not an error.

use std::sync::Arc;

use postrider_domain::{
    Credential, EmailAddress, Etag, Finding, FindingCode, Labels, ResellerId, Settings, SettingsDraft,
    SettingsValues, Violations,
};
use postrider_proto::v1;
use postrider_store::{ContentHash, Scope};
use prost::Message as _;

use super::put_settings::check_federated;
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{CredentialInput, from_proto, settings_draft, to_proto};
use crate::ladder::{Report, Step, StepResult, StepStatus, Trial, climb};
use crate::status::Refusal;

pub(super) async fn test_settings(
    app: Arc<App>,
    call: Authorised<v1::TestSettingsRequest>,
) -> Result<v1::TestSettingsResponse, Refusal> {
    let Authorised { request, caller, .. } = call;
    check_federated(&caller, request.candidate.as_ref())?;
    let content_hash = content_hash(&app, &request);
    let mut violations = Violations::default();
    let v = &mut violations;
    let reseller = from_proto::reseller(&request.reseller, v);
    let level = from_proto::enumeration::<v1::TestLevel>(request.level, "level", v);
    let request_id = from_proto::request_id(&request.request_id, v);
    let recipient = Some(request.recipient.as_str()).filter(|text| !text.is_empty());
    let recipient = recipient.and_then(|text| v.check("recipient", EmailAddress::parse(text)));
    let candidate = request.candidate.map(|candidate| read_candidate(candidate, &request.reseller, v));
    let reseller = violations.into_result(reseller)?;
    let saved = app.store.get_settings(&reseller).await?;
    let (draft, credential, etag) = trial_of(&app, &reseller, saved, candidate).await?;
    let elsewhere =
        recipient.as_ref().is_some_and(|to| !draft.sender_mailbox.eq_ignore_ascii_case(to.as_str()));
    if elsewhere && !caller.has(Scope::Send) {
        return Err(Refusal::AccessDenied);
    }
    let token_only = level == Some(v1::TestLevel::Token);
    let trial = Trial {
        reseller: reseller.clone(),
        draft,
        credential,
        recipient,
        request_id,
        content_hash,
        token_only,
    };
    let report = climb(&app, trial).await?;
    if let Some(etag) = etag.filter(|_| report.sent()) {
        app.store.settings_work(&reseller, &etag).await?;
        app.tokens.forget_reseller(&reseller);
        app.wakeup.settings_changed(&reseller);
        app.waits.lane_changed(&reseller);
    }
    Ok(reply(&report))
}

/// All that makes two tests the same: everything but the name of the request.
fn content_hash(app: &App, request: &v1::TestSettingsRequest) -> ContentHash {
    let canonical = v1::TestSettingsRequest { request_id: String::new(), ..request.clone() };
    ContentHash(app.content_hash.hash(&[&canonical.encode_to_vec()]))
}

/// A candidate as it was given: its malformed values are findings of SHAPE, not errors of the call.
fn read_candidate(
    candidate: v1::Settings,
    reseller: &str,
    violations: &mut Violations,
) -> (SettingsDraft, Result<CredentialInput, Finding>) {
    if !candidate.reseller.is_empty() && candidate.reseller != reseller {
        violations.push("candidate.reseller", "must be empty or the request's reseller");
    }
    // Neither is part of a test.
    let candidate = v1::Settings { pace: None, labels: Labels::new(), ..candidate };
    let mut own = Violations::default();
    let (draft, credential) = settings_draft(candidate, "candidate", &mut own);
    let mut malformed = Finding::new(FindingCode::SecretWrong).with("field", "client_secret");
    for violation in own.iter() {
        if violation.field.starts_with("candidate.client_secret") {
            malformed = malformed.with("reason", &violation.description);
        } else {
            violations.push(&violation.field, &violation.description);
        }
    }
    (draft, credential.ok_or(malformed))
}

/// What to test, with which credential, and the etag where it is what is saved.
async fn trial_of(
    app: &App,
    reseller: &ResellerId,
    saved: Option<Settings>,
    candidate: Option<(SettingsDraft, Result<CredentialInput, Finding>)>,
) -> Result<(SettingsDraft, Result<Credential, Finding>, Option<Etag>), Refusal> {
    match candidate {
        Some((draft, Ok(CredentialInput::Given(credential)))) => Ok((draft, Ok(credential), None)),
        Some((draft, Err(malformed))) => Ok((draft, Err(malformed), None)),
        Some((draft, Ok(CredentialInput::Saved))) => {
            let saved =
                saved.ok_or_else(|| Violations::one("candidate.credential", "is required: none is saved"))?;
            Ok((draft, Ok(saved_credential(app, &saved).await?), None))
        }
        None => {
            let saved = saved.ok_or_else(|| Refusal::SettingsMissing(reseller.clone()))?;
            let credential = saved_credential(app, &saved).await?;
            Ok((draft_of(saved.values), Ok(credential), Some(saved.etag)))
        }
    }
}

fn draft_of(values: SettingsValues) -> SettingsDraft {
    SettingsDraft {
        tenant_id: values.directory.to_string(),
        client_id: values.client.to_string(),
        sender_mailbox: values.mailbox.to_string(),
        cloud: values.cloud,
        send_as: values.send_as.iter().map(ToString::to_string).collect(),
        pace: values.pace,
        labels: values.labels,
    }
}

async fn saved_credential(app: &App, saved: &Settings) -> Result<Credential, Refusal> {
    Ok(app.credentials.get(&saved.reseller, &saved.credential.version).await?)
}

fn reply(report: &Report) -> v1::TestSettingsResponse {
    v1::TestSettingsResponse {
        passed: report.passed(),
        message_id: report.message.map(|id| id.to_string()).unwrap_or_default(),
        steps: report.steps.iter().map(step_result).collect(),
    }
}

fn step_result(result: &StepResult) -> v1::TestStepResult {
    let name = match result.step {
        Step::Shape => v1::TestStep::Shape,
        Step::Directory => v1::TestStep::Directory,
        Step::Credential => v1::TestStep::Credential,
        Step::Permission => v1::TestStep::Permission,
        Step::Send => v1::TestStep::Send,
    };
    let status = match result.status {
        StepStatus::Passed => v1::TestStatus::Passed,
        StepStatus::Warned => v1::TestStatus::Warned,
        StepStatus::Failed => v1::TestStatus::Failed,
        StepStatus::Skipped => v1::TestStatus::Skipped,
    };
    v1::TestStepResult {
        name: name.into(),
        status: status.into(),
        findings: result.findings.iter().map(to_proto::finding).collect(),
        duration: result.duration.and_then(|took| prost_types::Duration::try_from(took).ok()),
    }
}
