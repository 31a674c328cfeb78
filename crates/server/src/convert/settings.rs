//! Settings as they come in, without their credential.

use postrider_domain::{
    Cloud, DirectoryId, PaceLimits, PaceOverride, SettingsDraft, SettingsValues, Violations,
};
use postrider_proto::v1;

use super::credential::{CredentialInput, credential};
use super::from_proto::enumeration;

/// Settings to try. What is malformed in them is no error of the call.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// As it was given.
    pub sender_mailbox: String,
    /// Where its directory is, if that much can be read of it.
    pub place: Option<(Cloud, DirectoryId)>,
    /// `None`, as for the credential: `wrong` says why.
    pub values: Option<SettingsValues>,
    pub credential: Option<CredentialInput>,
    /// With the paths of the request, such as `candidate.client_secret.value`.
    pub wrong: Violations,
}

pub(crate) async fn candidate(mut settings: v1::Settings, operator: PaceLimits) -> Candidate {
    // Neither is part of a test.
    settings.pace = None;
    settings.labels.clear();
    let given = settings.credential.take();
    let sender_mailbox = settings.sender_mailbox.clone();
    let mut wrong = Violations::default();
    let draft = settings_draft(settings, CANDIDATE, &mut wrong);
    // As yet the cloud alone can be wrong.
    let directory = DirectoryId::parse(&draft.tenant_id).ok().filter(|_| wrong.is_empty());
    let place = directory.map(|directory| (draft.cloud, directory));
    let values = wrong.take(SettingsValues::parse(draft, CANDIDATE, operator));
    let credential = credential(given, CANDIDATE, &mut wrong).await;
    Candidate { sender_mailbox, place, values, credential, wrong }
}

const CANDIDATE: &str = "candidate";

/// `field` is the path of the settings in the request, such as `settings` or `candidate`.
pub(crate) fn settings_draft(
    settings: v1::Settings,
    field: &str,
    violations: &mut Violations,
) -> SettingsDraft {
    let cloud = match enumeration::<v1::Cloud>(settings.cloud, &format!("{field}.cloud"), violations) {
        Some(v1::Cloud::UsGovHigh) => Cloud::UsGovHigh,
        Some(v1::Cloud::UsGovDod) => Cloud::UsGovDod,
        Some(v1::Cloud::China) => Cloud::China,
        _ => Cloud::Global,
    };
    SettingsDraft {
        tenant_id: settings.tenant_id,
        client_id: settings.client_id,
        sender_mailbox: settings.sender_mailbox,
        cloud,
        send_as: settings.send_as,
        pace: pace(settings.pace.unwrap_or_default(), &format!("{field}.pace"), violations),
        labels: settings.labels,
    }
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
