//! Domain types into replies.

use jiff::Timestamp;
use postrider_domain::{
    Attempt, AuditEvent, Cloud, CredentialInfo, CredentialKind, Finding, FindingClass, Message, MessageState,
    Outcome, PaceOverride, Settings, SettingsState, SettingsStatus, Usage, expiry_finding,
};
use postrider_proto::v1;
use postrider_store::{AccessKey, Scope};
use prost::Message as _;

use crate::ladder::{Step, StepResult, StepStatus};

pub(crate) fn message(message: Message) -> v1::Message {
    v1::Message {
        reseller: message.reseller.to_string(),
        message_id: message.id.to_string(),
        request_id: message.request_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
        state: state(message.state).into(),
        internet_message_id: message.internet_message_id.unwrap_or_default(),
        create_time: Some(timestamp(message.create_time)),
        update_time: Some(timestamp(message.update_time)),
        send_time: message.send_time.map(timestamp),
        expire_time: Some(timestamp(message.expire_time)),
        next_attempt_time: message.next_attempt_time.map(timestamp),
        attempts: message.attempts.into_iter().map(attempt).collect(),
        finding: message.finding.as_ref().map(finding),
        subject: message.subject,
        recipient_count: count(message.recipient_count),
        labels: message.labels,
    }
}

pub(crate) fn audit_event(event: AuditEvent) -> v1::AuditEvent {
    v1::AuditEvent {
        event_id: format!("{}/{}", event.chain(), event.number),
        event_time: Some(timestamp(event.time)),
        reseller: event.chain().to_owned(),
        number: event.number,
        previous_hash: event.previous_hash.to_string(),
        hash: event.hash.to_string(),
        actor: event.actor,
        action: event.action,
        source_address: event.source_address,
        details: event.details.into_iter().collect(),
    }
}

fn attempt(attempt: Attempt) -> v1::Attempt {
    let outcome = match attempt.outcome {
        None => v1::AttemptOutcome::Unspecified,
        Some(Outcome::Sent) => v1::AttemptOutcome::Sent,
        Some(Outcome::Deferred) => v1::AttemptOutcome::Deferred,
        Some(Outcome::Rejected) => v1::AttemptOutcome::Rejected,
        Some(Outcome::InDoubt) => v1::AttemptOutcome::InDoubt,
    };
    v1::Attempt {
        number: count(attempt.number.0),
        start_time: Some(timestamp(attempt.start_time)),
        end_time: attempt.end_time.map(timestamp),
        outcome: outcome.into(),
        finding: attempt.finding.as_ref().map(finding),
        graph_request_id: attempt.graph_request_id.unwrap_or_default(),
    }
}

fn state(state: MessageState) -> v1::MessageState {
    match state {
        MessageState::Accepted => v1::MessageState::Accepted,
        MessageState::Scheduled => v1::MessageState::Scheduled,
        MessageState::Sending => v1::MessageState::Sending,
        MessageState::Deferred => v1::MessageState::Deferred,
        MessageState::Held => v1::MessageState::Held,
        MessageState::Sent => v1::MessageState::Sent,
        MessageState::OutcomeUnknown => v1::MessageState::OutcomeUnknown,
        MessageState::Failed => v1::MessageState::Failed,
        MessageState::Cancelled => v1::MessageState::Cancelled,
        MessageState::Expired => v1::MessageState::Expired,
    }
}

/// The same status, as a message of its own.
pub(crate) fn rpc_status(status: &tonic::Status) -> tonic_types::Status {
    // Its details are that message already; one without any has code and text alone.
    let whole = tonic_types::Status::decode(status.details());
    let bare = || tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    };
    whole.ok().filter(|whole| whole.code != 0).unwrap_or_else(bare)
}

pub(crate) fn finding(finding: &Finding) -> v1::Finding {
    let class = match finding.class {
        FindingClass::Settings => v1::FindingClass::Settings,
        FindingClass::Message => v1::FindingClass::Message,
        FindingClass::Limit => v1::FindingClass::Limit,
        FindingClass::Outage => v1::FindingClass::Outage,
        FindingClass::InDoubt => v1::FindingClass::InDoubt,
        FindingClass::Advice => v1::FindingClass::Advice,
    };
    v1::Finding {
        code: finding.code.as_str().to_owned(),
        class: class.into(),
        title: finding.code.title().to_owned(),
        explanation: finding.code.explanation(),
        mend: finding.code.mend().to_owned(),
        evidence: finding.evidence.clone(),
        docs_url: String::new(),
    }
}

/// `refused`: of a newer credential that is not taken. It is told where nothing worse is known; after it one that ends
/// soon, and last a limit that is near.
pub(crate) fn settings(
    settings: Settings,
    refused: Option<Finding>,
    usage: Usage,
    now: Timestamp,
) -> v1::Settings {
    let CredentialInfo { kind, expire_time, .. } = settings.credential;
    let known = settings.status.finding.or(refused).or_else(|| expiry_finding(kind, expire_time, now));
    let known = known.or_else(|| usage.nears_directory_limit());
    let status = SettingsStatus { state: settings.status.state, finding: known };
    let values = settings.values;
    v1::Settings {
        reseller: settings.reseller.to_string(),
        tenant_id: values.directory.to_string(),
        client_id: values.client.to_string(),
        credential: None,
        credential_info: Some(credential_info(&settings.credential)),
        sender_mailbox: values.mailbox.to_string(),
        cloud: cloud(values.cloud).into(),
        status: Some(self::status(&status)),
        send_as: values.send_as.iter().map(ToString::to_string).collect(),
        pace: pace(values.pace),
        usage: Some(v1::Usage {
            recipients_last_day: count(usage.recipients_last_day),
            queued_messages: count(usage.queued_messages),
        }),
        etag: settings.etag.as_str().to_owned(),
        labels: values.labels,
        update_time: Some(timestamp(settings.update_time)),
    }
}

fn credential_info(info: &CredentialInfo) -> v1::CredentialInfo {
    let kind = match info.kind {
        CredentialKind::ClientSecret => v1::CredentialKind::ClientSecret,
        CredentialKind::Certificate => v1::CredentialKind::Certificate,
        CredentialKind::Federated => v1::CredentialKind::Federated,
    };
    v1::CredentialInfo {
        kind: kind.into(),
        fingerprint: info.fingerprint.to_string(),
        version: info.version.as_str().to_owned(),
        create_time: Some(timestamp(info.create_time)),
        expire_time: info.expire_time.map(timestamp),
    }
}

fn cloud(cloud: Cloud) -> v1::Cloud {
    match cloud {
        Cloud::Global => v1::Cloud::Global,
        Cloud::UsGovHigh => v1::Cloud::UsGovHigh,
        Cloud::UsGovDod => v1::Cloud::UsGovDod,
        Cloud::China => v1::Cloud::China,
    }
}

fn status(status: &SettingsStatus) -> v1::SettingsStatus {
    let state = match status.state {
        SettingsState::Ready => v1::SettingsState::Ready,
        SettingsState::Untested => v1::SettingsState::Untested,
        SettingsState::Paused => v1::SettingsState::Paused,
    };
    v1::SettingsStatus { state: state.into(), finding: status.finding.as_ref().map(finding) }
}

fn pace(pace: PaceOverride) -> Option<v1::Pace> {
    let given = pace != PaceOverride::default();
    given.then(|| v1::Pace {
        concurrency: pace.concurrency.map(count),
        messages_per_minute: pace.messages_per_minute.map(count),
        recipients_per_day: pace.recipients_per_day.map(count),
    })
}

pub(crate) fn access_key(key: AccessKey) -> v1::AccessKey {
    v1::AccessKey {
        key_id: key.id.to_string(),
        name: key.name,
        scopes: key.scopes.into_iter().map(|scope| self::scope(scope).into()).collect(),
        resellers: key.resellers.iter().map(ToString::to_string).collect(),
        create_time: Some(timestamp(key.create_time)),
        expire_time: key.expire_time.map(timestamp),
        last_use_time: key.last_use_time.map(timestamp),
        revoke_time: key.revoke_time.map(timestamp),
    }
}

fn scope(scope: Scope) -> v1::Scope {
    match scope {
        Scope::Send => v1::Scope::Send,
        Scope::Read => v1::Scope::Read,
        Scope::Settings => v1::Scope::Settings,
        Scope::Test => v1::Scope::Test,
        Scope::Admin => v1::Scope::Admin,
    }
}

pub(crate) fn step(step: Step) -> v1::TestStep {
    match step {
        Step::Shape => v1::TestStep::Shape,
        Step::Directory => v1::TestStep::Directory,
        Step::Credential => v1::TestStep::Credential,
        Step::Permission => v1::TestStep::Permission,
        Step::Send => v1::TestStep::Send,
    }
}

pub(crate) fn step_result(result: &StepResult) -> v1::TestStepResult {
    let status = match result.status {
        StepStatus::Passed => v1::TestStatus::Passed,
        StepStatus::Warned => v1::TestStatus::Warned,
        StepStatus::Failed => v1::TestStatus::Failed,
        StepStatus::Skipped => v1::TestStatus::Skipped,
    };
    v1::TestStepResult {
        name: step(result.step).into(),
        status: status.into(),
        findings: result.findings.iter().map(finding).collect(),
        duration: result.duration.and_then(|took| prost_types::Duration::try_from(took).ok()),
        detail: result.detail.clone(),
    }
}

pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// Counts on the wire are `int32`; ours never come near its end.
fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
