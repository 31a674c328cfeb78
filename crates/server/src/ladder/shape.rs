//! SHAPE: what can be told of the values by looking at them. No call leaves.

use postrider_domain::{Credential, Finding, FindingCode, SettingsValues, Violation};

use super::Trial;
use super::report::Noted;

/// All that is wrong at once, each as the finding of its value.
pub(super) fn look(trial: &Trial) -> Noted<(&SettingsValues, &Credential)> {
    let mut findings: Vec<_> = trial.wrong.iter().map(malformed).collect();
    if trial.credential.as_ref().is_some_and(Credential::is_secret_id) {
        let finding = Finding::new(FindingCode::SecretIsId).with("field", "client_secret.value");
        findings.push(finding.with("reason", "has the form of a secret's ID, a GUID"));
    }
    match (&trial.values, &trial.credential) {
        (Some(values), Some(credential)) if findings.is_empty() => Ok(((values, credential), Vec::new())),
        _ => Err(findings),
    }
}

fn malformed(violation: &Violation) -> Finding {
    let field = violation.field.strip_prefix("candidate.").unwrap_or(&violation.field);
    let code = match field.split(['.', '[']).next() {
        Some("client_id") => FindingCode::ClientNotFound,
        Some("sender_mailbox") => FindingCode::MailboxNotFound,
        Some("client_secret") => FindingCode::SecretWrong,
        Some("send_as") => FindingCode::SendAsDenied,
        // Of the directory there are its ID and the cloud it is in.
        _ => FindingCode::TenantNotFound,
    };
    Finding::new(code).with("field", field).with("reason", &violation.description)
}

#[cfg(test)]
mod tests {
    use postrider_domain::{PaceLimits, ResellerId, Violations};
    use postrider_proto::v1;
    use postrider_store::ContentHash;

    use super::*;
    use crate::convert::{CredentialInput, candidate};

    /// The findings of a candidate, each as `field CODE`.
    fn wrong(settings: v1::Settings) -> Vec<String> {
        let operator = PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 0 };
        let mut violations = Violations::default();
        let candidate = candidate(settings, operator, &mut violations);
        assert!(violations.is_empty(), "{violations}");
        let credential = match candidate.credential {
            Some(CredentialInput::Given(credential)) => Some(credential),
            _ => None,
        };
        let trial = Trial {
            reseller: ResellerId::parse("acme").unwrap(),
            values: candidate.values,
            credential,
            wrong: candidate.wrong,
            recipient: None,
            request_id: None,
            content_hash: ContentHash([0; 32]),
            token_only: false,
        };
        let findings = look(&trial).err().unwrap_or_default();
        findings.iter().map(|finding| format!("{} {}", finding.evidence["field"], finding.code)).collect()
    }

    fn good() -> v1::Settings {
        v1::Settings {
            tenant_id: "contoso.example".to_owned(),
            client_id: "11111111-2222-3333-4444-555555555555".to_owned(),
            sender_mailbox: "sales@acme.example".to_owned(),
            credential: Some(secret("a secret")),
            ..v1::Settings::default()
        }
    }

    fn secret(value: &str) -> v1::settings::Credential {
        let secret = v1::ClientSecret { value: value.to_owned(), expire_time: None };
        v1::settings::Credential::ClientSecret(secret)
    }

    #[test]
    fn each_malformed_value_is_a_finding_of_its_own() {
        assert!(wrong(good()).is_empty());
        let all = v1::Settings {
            tenant_id: "common".to_owned(),
            client_id: String::new(),
            sender_mailbox: "sales".to_owned(),
            cloud: 99,
            send_as: vec!["a@acme.example".to_owned(), "b".to_owned()],
            credential: Some(secret("")),
            ..good()
        };
        assert_eq!(
            wrong(all),
            [
                "cloud TENANT_NOT_FOUND",
                "tenant_id TENANT_NOT_FOUND",
                "client_id CLIENT_NOT_FOUND",
                "sender_mailbox MAILBOX_NOT_FOUND",
                "send_as[1] SEND_AS_DENIED",
                "client_secret.value SECRET_WRONG",
            ]
        );
    }

    #[test]
    fn a_secrets_id_is_named_and_what_is_no_part_of_a_test_is_passed_over() {
        let id = v1::Settings { credential: Some(secret("11111111-2222-3333-4444-555555555555")), ..good() };
        assert_eq!(wrong(id), ["client_secret.value SECRET_IS_ID"]);
        let pace =
            v1::Pace { concurrency: Some(-1), messages_per_minute: Some(0), recipients_per_day: Some(9) };
        let labels = [(String::new(), "\n".to_owned())].into();
        assert!(wrong(v1::Settings { pace: Some(pace), labels, ..good() }).is_empty());
    }
}
