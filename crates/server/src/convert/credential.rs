//! A credential as it comes in. Looked at here and nowhere else; what is wrong with it is told by its field.

use jiff::Timestamp;
use postrider_domain::{Credential, SourceName, Violations, limits};
use postrider_microsoft::{CertificateFile, read_certificate};
use postrider_proto::v1;
use postrider_proto::v1::settings::Credential as Given;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::from_proto::timestamp;

/// What was given as the credential.
#[derive(Debug)]
pub(crate) enum CredentialInput {
    /// Left out: the saved one stays.
    Saved,
    Given(Credential),
}

/// What of it can be used: nothing, if something is wrong with it. `field` is the path of the settings in the request.
///
/// Opening a certificate may take a second of computing, which goes on beside the calls of others.
pub(crate) async fn credential(
    given: Option<Given>,
    field: &'static str,
    violations: &mut Violations,
) -> Option<CredentialInput> {
    let read = match given {
        None => return Some(CredentialInput::Saved),
        Some(Given::ClientSecret(secret)) => client_secret(secret, field),
        Some(Given::Federated(federated)) => {
            let source = SourceName::parse(&federated.source);
            let source = source.map_err(|error| Violations::one(format!("{field}.federated.source"), error));
            source.map(|source| Credential::Federated { source })
        }
        Some(Given::Certificate(given)) => {
            let opened = tokio::task::spawn_blocking(move || certificate(given, field)).await;
            opened.unwrap_or_else(|_| Err(Violations::one(format!("{field}.certificate"), "cannot be read")))
        }
    };
    violations.take(read).map(CredentialInput::Given)
}

fn client_secret(secret: v1::ClientSecret, field: &str) -> Result<Credential, Violations> {
    let mut violations = Violations::default();
    let expire_time: Option<Timestamp> =
        timestamp(secret.expire_time, &format!("{field}.client_secret.expire_time"), &mut violations);
    let path = format!("{field}.client_secret.value");
    let most = limits::SECRET_BYTES_MAX;
    if secret.value.is_empty() {
        violations.push(path, "is required: the secret's Value");
    } else if secret.value.len() > most || secret.value.chars().any(char::is_control) {
        violations.push(
            path,
            format!("must be at most {most} bytes, none of them a line break or control character"),
        );
    }
    let value = SecretString::from(secret.value);
    violations.into_result(Some(Credential::ClientSecret { value, expire_time }))
}

fn certificate(given: v1::Certificate, field: &str) -> Result<Credential, Violations> {
    use v1::certificate::Content;
    let v1::Certificate { content, passphrase, send_chain } = given;
    let passphrase = Zeroizing::new(passphrase);
    let field = format!("{field}.certificate");
    let (name, read) = match content {
        None => return Err(Violations::one(format!("{field}.pem"), "is required, or pfx")),
        Some(Content::Pem(text)) => {
            let text = Zeroizing::new(text);
            ("pem", read_certificate(&CertificateFile::Pem(&text), &passphrase, send_chain))
        }
        Some(Content::Pfx(bytes)) => {
            ("pfx", read_certificate(&CertificateFile::Pfx(&bytes), &passphrase, send_chain))
        }
    };
    read.map(Credential::Certificate).map_err(|error| {
        let name = if error.is_of_passphrase() { "passphrase" } else { name };
        Violations::one(format!("{field}.{name}"), error)
    })
}
