//! The four values of the panel, and their options.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::address::is_domain;
use crate::message::parse_labels;
use crate::pasted::unpasted;
use crate::{
    CredentialInfo, EmailAddress, Finding, FindingCode, Labels, ResellerId, TokenKey, Violations, limits,
};

/// The reseller's Entra directory: its ID (a GUID) or one of its verified domains, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectoryId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADirectoryId {
    #[error("is required: the Directory (tenant) ID from the app registration's Overview page")]
    Empty,
    #[error("must be a GUID, or a verified domain such as contoso.onmicrosoft.com")]
    Shape,
    #[error("has blanks or quotes around it, as from pasting: leave them out")]
    Pasted,
    #[error("is a word for all directories: give the reseller's own directory ID or domain")]
    Common,
}

impl DirectoryId {
    pub fn parse(text: &str) -> Result<Self, NotADirectoryId> {
        match text {
            "" => Err(NotADirectoryId::Empty),
            text if is_guid(text) || is_domain(text) => Ok(Self(text.to_ascii_lowercase())),
            "common" | "organizations" | "consumers" => Err(NotADirectoryId::Common),
            text if unpasted(text) != text => Err(NotADirectoryId::Pasted),
            _ => Err(NotADirectoryId::Shape),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_guid(&self) -> bool {
        is_guid(&self.0)
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The app's Application (client) ID: a GUID in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAClientId {
    #[error("is required: the Application (client) ID from the app registration's Overview page")]
    Empty,
    #[error("must be a GUID such as 11111111-2222-3333-4444-555555555555")]
    Shape,
    #[error("has blanks or quotes around it, as from pasting: leave them out")]
    Pasted,
}

impl ClientId {
    pub fn parse(text: &str) -> Result<Self, NotAClientId> {
        match text {
            "" => Err(NotAClientId::Empty),
            text if is_guid(text) => Ok(Self(text.to_ascii_lowercase())),
            text if unpasted(text) != text => Err(NotAClientId::Pasted),
            _ => Err(NotAClientId::Shape),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hyphenated form only: what the portal shows and copies.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Microsoft's national clouds: a closed list, so that no caller chooses a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Cloud {
    #[default]
    Global,
    UsGovHigh,
    UsGovDod,
    China,
}

impl Cloud {
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGovHigh, Self::UsGovDod, Self::China];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGovHigh => "us_gov_high",
            Self::UsGovDod => "us_gov_dod",
            Self::China => "china",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.as_str() == name)
    }
}

/// The operator's limits of one mailbox. 0 means no limit, where Microsoft's own does not bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceLimits {
    /// Calls in flight at once; never 0.
    pub concurrency: u32,
    pub messages_per_minute: u32,
    pub recipients_per_day: u32,
}

/// A reseller's own, lower limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaceOverride {
    pub concurrency: Option<u32>,
    pub messages_per_minute: Option<u32>,
    pub recipients_per_day: Option<u32>,
}

impl PaceOverride {
    pub fn applied_to(self, operator: PaceLimits) -> PaceLimits {
        PaceLimits {
            concurrency: self.concurrency.unwrap_or(operator.concurrency),
            messages_per_minute: self.messages_per_minute.unwrap_or(operator.messages_per_minute),
            recipients_per_day: self.recipients_per_day.unwrap_or(operator.recipients_per_day),
        }
    }

    fn check(self, field: &str, operator: PaceLimits, violations: &mut Violations) {
        let pairs = [
            ("concurrency", self.concurrency, operator.concurrency),
            ("messages_per_minute", self.messages_per_minute, operator.messages_per_minute),
            ("recipients_per_day", self.recipients_per_day, operator.recipients_per_day),
        ];
        for (name, own, most) in pairs {
            match own {
                Some(0) => violations.push(format!("{field}.{name}"), "must be at least 1"),
                Some(own) if most > 0 && own > most => {
                    violations
                        .push(format!("{field}.{name}"), format!("must be at most the operator's {most}"));
                }
                _ => {}
            }
        }
    }
}

/// What a caller gave, not yet looked at.
#[derive(Debug, Clone, Default)]
pub struct SettingsDraft {
    pub tenant_id: String,
    pub client_id: String,
    pub sender_mailbox: String,
    pub cloud: Cloud,
    pub send_as: Vec<String>,
    pub pace: PaceOverride,
    pub labels: BTreeMap<String, String>,
}

/// Settings without what Postrider adds to them, and without the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsValues {
    pub directory: DirectoryId,
    pub client: ClientId,
    pub mailbox: EmailAddress,
    pub cloud: Cloud,
    /// Addresses the mailbox may send as, beside itself.
    pub send_as: Vec<EmailAddress>,
    pub pace: PaceOverride,
    pub labels: Labels,
}

impl SettingsValues {
    /// `field` is the path of the settings in the request, such as `settings`.
    pub fn parse(draft: SettingsDraft, field: &str, operator: PaceLimits) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let directory = violations.check(format!("{field}.tenant_id"), DirectoryId::parse(&draft.tenant_id));
        let client = violations.check(format!("{field}.client_id"), ClientId::parse(&draft.client_id));
        let mailbox =
            violations.check(format!("{field}.sender_mailbox"), EmailAddress::parse(&draft.sender_mailbox));
        if draft.send_as.len() > limits::SEND_AS_MAX {
            violations.push(
                format!("{field}.send_as"),
                format!("must have at most {} entries", limits::SEND_AS_MAX),
            );
        }
        let send_as = draft
            .send_as
            .iter()
            .take(limits::SEND_AS_MAX)
            .enumerate()
            .filter_map(|(i, text)| {
                violations.check(format!("{field}.send_as[{i}]"), EmailAddress::parse(text))
            })
            .collect();
        draft.pace.check(&format!("{field}.pace"), operator, &mut violations);
        let labels = parse_labels(draft.labels, &format!("{field}.labels"), &mut violations);
        let (cloud, pace) = (draft.cloud, draft.pace);
        let values = directory.zip(client).zip(mailbox).map(|((directory, client), mailbox)| Self {
            directory,
            client,
            mailbox,
            cloud,
            send_as,
            pace,
            labels,
        });
        violations.into_result(values)
    }

    /// Whether the mailbox may put this address into `from`.
    pub fn may_send_as(&self, address: &EmailAddress) -> bool {
        self.mailbox.is_same_mailbox(address) || self.send_as.iter().any(|own| own.is_same_mailbox(address))
    }
}

/// Changes with every write of the settings; compared for equality and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    pub fn of_store(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsState {
    /// Saved, and neither a test nor a mail has shown yet that they work.
    Untested,
    /// A test or a mail showed that they work.
    Ready,
    /// The lane is held; the finding says why.
    Paused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsStatus {
    pub state: SettingsState,
    pub finding: Option<Finding>,
}

/// A reseller's saved settings. The credential itself is in the credential store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub reseller: ResellerId,
    pub values: SettingsValues,
    /// Names the exact credential version in use.
    pub credential: CredentialInfo,
    pub status: SettingsStatus,
    pub etag: Etag,
    pub update_time: Timestamp,
}

/// What of its limits a reseller has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Messages not finished yet, and how large they are together.
    pub queued_messages: u32,
    pub queued_bytes: u64,
    /// Recipients of messages sent in the last 24 h.
    pub recipients_last_day: u32,
}

impl Usage {
    /// A word of warning before Exchange Online refuses: its limit of a whole directory counts other senders too, which
    /// nobody but Microsoft knows.
    pub fn nears_directory_limit(&self) -> Option<Finding> {
        let nears = self.recipients_last_day >= limits::DIRECTORY_RECIPIENTS_WARNED;
        nears.then(|| {
            Finding::new(FindingCode::TenantSendLimit)
                .with("recipients_last_day", self.recipients_last_day)
                .with("reason", "a warning: as far as it is counted here, the limit is near but not reached")
        })
    }
}

impl Settings {
    /// Under which its access token is cached.
    pub fn token_key(&self) -> TokenKey {
        TokenKey {
            reseller: self.reseller.clone(),
            cloud: self.values.cloud,
            directory: self.values.directory.clone(),
            client: self.values.client.clone(),
            fingerprint: self.credential.fingerprint.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: PaceLimits =
        PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 100 };

    #[test]
    fn a_reseller_who_sends_much_is_warned_of_the_limit_of_its_directory() {
        let told = |recipients_last_day| {
            Usage { recipients_last_day, ..Usage::default() }
                .nears_directory_limit()
                .map(|finding| finding.code)
        };
        assert_eq!(told(7_999), None);
        assert_eq!(told(8_000), Some(FindingCode::TenantSendLimit));
    }

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let draft = SettingsDraft {
            tenant_id: "common".into(),
            client_id: String::new(),
            sender_mailbox: "sales".into(),
            send_as: vec!["ok@acme.example".into(), "no".into()],
            pace: PaceOverride {
                concurrency: Some(5),
                recipients_per_day: Some(101),
                ..PaceOverride::default()
            },
            ..SettingsDraft::default()
        };
        let violations = SettingsValues::parse(draft, "settings", OPERATOR).expect_err("all wrong");
        let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "settings.tenant_id",
                "settings.client_id",
                "settings.sender_mailbox",
                "settings.send_as[1]",
                "settings.pace.concurrency",
                "settings.pace.recipients_per_day"
            ]
        );
    }

    #[test]
    fn a_directory_is_a_guid_or_a_domain() {
        for good in ["11111111-2222-3333-4444-555555555555", "Contoso.onmicrosoft.com"] {
            assert!(DirectoryId::parse(good).is_ok(), "{good}");
        }
        for bad in ["contoso", "../x", "a/b.example", "11111111222233334444555555555555"] {
            assert_eq!(DirectoryId::parse(bad), Err(NotADirectoryId::Shape), "{bad}");
        }
        assert_eq!(DirectoryId::parse("common"), Err(NotADirectoryId::Common));
    }

    #[test]
    fn what_came_along_with_pasting_is_named() {
        let id = "11111111-2222-3333-4444-555555555555";
        for pasted in [format!(" {id}"), format!("{id}\n"), format!("\"{id}\""), format!("\u{feff}{id}")] {
            assert_eq!(DirectoryId::parse(&pasted), Err(NotADirectoryId::Pasted), "{pasted:?}");
            assert_eq!(ClientId::parse(&pasted), Err(NotAClientId::Pasted), "{pasted:?}");
        }
    }
}
