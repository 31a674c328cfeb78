//! Settings as they come in: values to look at, and a credential that is looked at nowhere else.

use jiff::Timestamp;
use postrider_domain::{
    Cloud, Credential, PaceLimits, PaceOverride, SettingsDraft, SettingsValues, Violations, limits,
};
use postrider_proto::v1;
use secrecy::SecretString;

use super::from_proto::{enumeration, timestamp};

/// What was given as the credential.
#[derive(Debug)]
pub(crate) enum CredentialInput {
    /// Left out: the saved one stays.
    Saved,
    Given(Credential),
}

/// Settings to try. What is malformed in them is no error of the call.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// As it was given.
    pub sender_mailbox: String,
    /// `None`, as for the credential: `wrong` says why.
    pub values: Option<SettingsValues>,
    pub credential: Option<CredentialInput>,
    /// With the paths of the request, such as `candidate.client_secret.value`.
    pub wrong: Violations,
}

pub(crate) fn candidate(
    mut settings: v1::Settings,
    operator: PaceLimits,
    violations: &mut Violations,
) -> Candidate {
    use v1::settings::Credential::{Certificate, Federated};
    // Neither is part of a test.
    settings.pace = None;
    settings.labels.clear();
    let given = settings.credential.take();
    let sender_mailbox = settings.sender_mailbox.clone();
    let mut wrong = Violations::default();
    let (draft, _) = settings_draft(settings, CANDIDATE, &mut wrong);
    let values = wrong.take(SettingsValues::parse(draft, CANDIDATE, operator));
    // What a later version takes is not malformed, and no test of it can be told.
    let is_later = matches!(given, Some(Certificate(_) | Federated(_)));
    let credential = credential(given, CANDIDATE, if is_later { violations } else { &mut wrong });
    Candidate { sender_mailbox, values, credential, wrong }
}

const CANDIDATE: &str = "candidate";

/// `field` is the path of the settings in the request, such as `settings` or `candidate`.
pub(crate) fn settings_draft(
    settings: v1::Settings,
    field: &str,
    violations: &mut Violations,
) -> (SettingsDraft, Option<CredentialInput>) {
    let credential = credential(settings.credential, field, violations);
    let cloud = match enumeration::<v1::Cloud>(settings.cloud, &format!("{field}.cloud"), violations) {
        Some(v1::Cloud::UsGovHigh) => Cloud::UsGovHigh,
        Some(v1::Cloud::UsGovDod) => Cloud::UsGovDod,
        Some(v1::Cloud::China) => Cloud::China,
        _ => Cloud::Global,
    };
    let draft = SettingsDraft {
        tenant_id: settings.tenant_id,
        client_id: settings.client_id,
        sender_mailbox: settings.sender_mailbox,
        cloud,
        send_as: settings.send_as,
        pace: pace(settings.pace.unwrap_or_default(), &format!("{field}.pace"), violations),
        labels: settings.labels,
    };
    (draft, credential)
}

/// `None`: something is wrong with it.
fn credential(
    credential: Option<v1::settings::Credential>,
    field: &str,
    violations: &mut Violations,
) -> Option<CredentialInput> {
    use v1::settings::Credential as Given;
    match credential {
        None => Some(CredentialInput::Saved),
        Some(Given::ClientSecret(secret)) => {
            client_secret(secret, field, violations).map(CredentialInput::Given)
        }
        Some(Given::Certificate(_)) => {
            violations.push(
                format!("{field}.certificate"),
                "certificates come in a later version: use client_secret",
            );
            None
        }
        Some(Given::Federated(_)) => {
            violations.push(
                format!("{field}.federated"),
                "federated credentials come in a later version: use client_secret",
            );
            None
        }
    }
}

fn client_secret(secret: v1::ClientSecret, field: &str, violations: &mut Violations) -> Option<Credential> {
    let expire_time: Option<Timestamp> =
        timestamp(secret.expire_time, &format!("{field}.client_secret.expire_time"), violations);
    let path = format!("{field}.client_secret.value");
    if secret.value.is_empty() {
        violations.push(path, "is required: the secret's Value");
        return None;
    }
    if secret.value.len() > limits::SECRET_BYTES_MAX || secret.value.chars().any(char::is_control) {
        let most = limits::SECRET_BYTES_MAX;
        violations.push(
            path,
            format!("must be at most {most} bytes, none of them a line break or control character"),
        );
        return None;
    }
    Some(Credential::ClientSecret { value: SecretString::from(secret.value), expire_time })
}

fn pace(pace: v1::Pace, field: &str, violations: &mut Violations) -> PaceOverride {
    let mut limit = |name: &str, value: Option<i32>| {
        let value = value?;
        violations.check(format!("{field}.{name}"), u32::try_from(value).map_err(|_| "must not be negative"))
    };
    PaceOverride {
        concurrency: limit("concurrency", pace.concurrency),
        messages_per_minute: limit("messages_per_minute", pace.messages_per_minute),
        recipients_per_day: limit("recipients_per_day", pace.recipients_per_day),
    }
}
