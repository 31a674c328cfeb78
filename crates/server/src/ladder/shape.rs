//! SHAPE: what can be told of the values by looking at them. No call leaves.

use jiff::Timestamp;
use postrider_domain::{Credential, Finding, FindingCode, SettingsValues, Violation};

use super::Trial;
use super::report::{Noted, Wrong};
use crate::proofs::{NotBound, Proofs};

/// What can be right. A saved credential that is lost is no value that was given.
pub(super) type Looked<'a> = (&'a SettingsValues, Result<&'a Credential, &'a Finding>);

/// All that is wrong at once, each as the finding of its value.
pub(super) fn look<'a>(trial: &'a Trial, proofs: &Proofs, now: Timestamp) -> Noted<Looked<'a>> {
    let mut findings: Vec<_> = trial.wrong.iter().map(malformed).collect();
    findings.extend(trial.credential.as_ref().and_then(|credential| credential.looks_wrong(now)));
    findings.extend(unbound(trial, proofs));
    let credential = trial.credential.as_ref().map(Ok).or(trial.lost.as_ref().map(Err));
    match (&trial.values, credential) {
        (Some(values), Some(credential)) if findings.is_empty() => {
            let detail = "looked at each value: all of them can be right".to_owned();
            Ok(((values, credential), detail, Vec::new()))
        }
        _ => {
            let count = findings.len();
            let noun = if count == 1 { "value" } else { "values" };
            let detail = format!("looked at each value: {count} {noun} cannot be right");
            Err(Wrong { detail, findings })
        }
    }
}

/// A federated source that may not be used with these settings.
fn unbound(trial: &Trial, proofs: &Proofs) -> Option<Finding> {
    let Some(Credential::Federated { source }) = &trial.credential else { return None };
    let bound = proofs.bound(source, &trial.reseller, trial.values.as_ref()?).err();
    let not_bound = bound.or(trial.source_is_anothers.then_some(NotBound::Reseller))?;
    let finding = Finding::new(FindingCode::FederationWrong).with("field", "federated.source");
    Some(finding.with("reason", not_bound))
}

fn malformed(violation: &Violation) -> Finding {
    let field = violation.field.strip_prefix("candidate.").unwrap_or(&violation.field);
    let code = match field.split(['.', '[']).next() {
        Some("client_id") => FindingCode::ClientNotFound,
        Some("sender_mailbox") => FindingCode::MailboxNotFound,
        Some("client_secret") => FindingCode::SecretWrong,
        Some("certificate") => FindingCode::CertificateWrong,
        Some("federated") => FindingCode::FederationWrong,
        Some("send_as") => FindingCode::SendAsDenied,
        // Of the directory there are its ID and the cloud it is in.
        _ => FindingCode::TenantNotFound,
    };
    Finding::new(code).with("field", field).with("reason", &violation.description)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_domain::{Clock, PaceLimits, ResellerId, SourceName, TestClock};
    use postrider_microsoft::{Hosts, IdentityEndpoint, Microsoft};
    use postrider_proto::v1;
    use postrider_store::ContentHash;

    use super::*;
    use crate::config::{AssertionPlace, FederatedSource};
    use crate::convert::{CredentialInput, candidate};
    use crate::metrics::Metrics;
    use crate::proofs::Asked;

    fn proofs() -> Proofs {
        let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
        let asked = Asked::new(Arc::new(Metrics::new(false)), Arc::clone(&clock) as Arc<dyn Clock>);
        let microsoft = Microsoft::new(Hosts::microsoft(), None, clock).unwrap();
        let source = FederatedSource {
            place: AssertionPlace::File("token".into()),
            reseller: ResellerId::parse("beta").ok(),
            directory: None,
            client: None,
        };
        let sources = [(SourceName::parse("betas").unwrap(), source)].into();
        Proofs::new(microsoft, sources, IdentityEndpoint::metadata(), asked)
    }

    /// The findings of a candidate, each as `field CODE`.
    async fn wrong(settings: v1::Settings) -> Vec<String> {
        let operator = PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 0 };
        let candidate = candidate(settings, operator).await;
        let credential = match candidate.credential {
            Some(CredentialInput::Given(credential)) => Some(credential),
            _ => None,
        };
        let trial = Trial {
            reseller: ResellerId::parse("acme").unwrap(),
            place: candidate.place,
            values: candidate.values,
            credential,
            lost: None,
            source_is_anothers: false,
            wrong: candidate.wrong,
            recipient: None,
            request_id: None,
            content_hash: ContentHash([0; 32]),
            token_only: false,
        };
        let findings = look(&trial, &proofs(), Timestamp::UNIX_EPOCH).err();
        let findings = findings.map(|wrong| wrong.findings).unwrap_or_default();
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

    fn with(credential: v1::settings::Credential) -> v1::Settings {
        v1::Settings { credential: Some(credential), ..good() }
    }

    #[tokio::test]
    async fn each_malformed_value_is_a_finding_of_its_own() {
        assert!(wrong(good()).await.is_empty());
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
            wrong(all).await,
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

    #[tokio::test]
    async fn a_secrets_id_is_named_and_what_is_no_part_of_a_test_is_passed_over() {
        assert_eq!(
            wrong(with(secret("11111111-2222-3333-4444-555555555555"))).await,
            ["client_secret.value SECRET_IS_ID"]
        );
        assert_eq!(wrong(with(secret(" a secret "))).await, ["client_secret.value SECRET_WRONG"]);
        let pace =
            v1::Pace { concurrency: Some(-1), messages_per_minute: Some(0), recipients_per_day: Some(9) };
        let labels = [(String::new(), "\n".to_owned())].into();
        assert!(wrong(v1::Settings { pace: Some(pace), labels, ..good() }).await.is_empty());
    }

    #[tokio::test]
    async fn a_certificate_or_a_source_that_cannot_be_used_is_named_by_its_field() {
        use v1::settings::Credential::{Certificate, Federated};
        let pem = v1::certificate::Content::Pem("no PEM".to_owned());
        let certificate = v1::Certificate { content: Some(pem), ..v1::Certificate::default() };
        assert_eq!(wrong(with(Certificate(certificate))).await, ["certificate.pem CERTIFICATE_WRONG"]);
        let none = v1::Certificate::default();
        assert_eq!(wrong(with(Certificate(none))).await, ["certificate.pem CERTIFICATE_WRONG"]);
        for source in ["", "/etc/passwd", "unknown", "betas"] {
            let federated = v1::FederatedCredential { source: source.to_owned() };
            assert_eq!(wrong(with(Federated(federated))).await, ["federated.source FEDERATION_WRONG"]);
        }
    }
}
