//! The one table of what may be called with which scope, and of how the reseller is found in it.
//!
//! An RPC without a line here is denied, and `every_rpc_has_exactly_one_rule` fails.

use postrider_store::Scope::{self, Admin, Read, Send, Settings, Test};

/// How a request tells for which reseller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It names one.
    One,
    /// It names one, or by an empty name all that the caller may reach.
    OneOrMine,
    /// It lists the resellers it is for, where an empty list is all.
    Each,
    /// It names none; the answer holds what the caller may reach, and nothing else.
    Mine,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// As it stands on the wire: `/postrider.v1.MailService/SendMail`.
    pub(super) rpc: &'static str,
    /// Any of them is enough, and so is `admin`.
    pub(super) scopes: &'static [Scope],
    pub(super) reach: Reach,
}

/// The rule of an RPC by its path.
pub(super) fn rule(rpc: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.rpc == rpc)
}

/// What is none of ours.
pub(crate) const UNKNOWN_RPC: &str = "unknown";

/// What the audit and metrics call the RPC of a path: nothing that a stranger chose.
pub(crate) fn rpc_name(path: &str) -> &'static str {
    rule(path).and_then(|rule| rule.rpc.rsplit('/').next()).unwrap_or(UNKNOWN_RPC)
}

const fn one(rpc: &'static str, scopes: &'static [Scope]) -> Rule {
    Rule { rpc, scopes, reach: Reach::One }
}

const fn of(rpc: &'static str, scopes: &'static [Scope], reach: Reach) -> Rule {
    Rule { rpc, scopes, reach }
}

static RULES: [Rule; 20] = [
    one("/postrider.v1.MailService/SendMail", &[Send]),
    one("/postrider.v1.MailService/BatchSendMail", &[Send]),
    one("/postrider.v1.MailService/GetMessage", &[Send, Read]),
    one("/postrider.v1.MailService/ListMessages", &[Read]),
    of("/postrider.v1.MailService/WatchMessages", &[Read], Reach::OneOrMine),
    one("/postrider.v1.MailService/CancelMessage", &[Send]),
    one("/postrider.v1.MailService/RetryMessage", &[Send]),
    one("/postrider.v1.MailService/RetryMessages", &[Send]),
    one("/postrider.v1.SettingsService/PutSettings", &[Settings]),
    one("/postrider.v1.SettingsService/GetSettings", &[Settings, Read]),
    of("/postrider.v1.SettingsService/ListSettings", &[Settings, Read], Reach::Mine),
    one("/postrider.v1.SettingsService/DeleteSettings", &[Settings]),
    one("/postrider.v1.SettingsService/TestSettings", &[Test]),
    one("/postrider.v1.SettingsService/WatchSettingsTest", &[Test]),
    one("/postrider.v1.SettingsService/PauseSending", &[Settings]),
    one("/postrider.v1.SettingsService/ResumeSending", &[Settings]),
    of("/postrider.v1.AccessService/CreateKey", &[Admin], Reach::Each),
    of("/postrider.v1.AccessService/ListKeys", &[Admin], Reach::Mine),
    of("/postrider.v1.AccessService/RevokeKey", &[Admin], Reach::Mine),
    of("/postrider.v1.AccessService/ListAuditEvents", &[Admin], Reach::OneOrMine),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_rpc_has_exactly_one_rule() {
        let described = FileDescriptorSet::decode(postrider_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut served = BTreeSet::new();
        for file in described.file.iter().filter(|file| file.package() == "postrider.v1") {
            for service in &file.service {
                for method in &service.method {
                    served.insert(format!("/postrider.v1.{}/{}", service.name(), method.name()));
                }
            }
        }
        let ruled: BTreeSet<_> = RULES.iter().map(|rule| rule.rpc.to_owned()).collect();
        assert_eq!(served, ruled);
        assert_eq!(ruled.len(), RULES.len(), "an RPC has two rules");
        assert!(RULES.iter().all(|rule| !rule.scopes.is_empty()));
    }
}
