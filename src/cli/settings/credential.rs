//! The flags that say a credential: one kind at a time, and never a secret as an argument.

use std::path::{Path, PathBuf};

use clap::Args;
use postrider_proto::v1::certificate::Content;
use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{Certificate, ClientSecret, FederatedCredential};
use secrecy::ExposeSecret;

use crate::cli::failure::Failure;
use crate::cli::{input, time};

#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct CredentialFlags {
    /// The file with the client secret's Value; `-` is standard input. It is never an argument.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["certificate_file", "federated_source"])]
    client_secret_file: Option<PathBuf>,
    /// When the panel says that the secret expires: a day, or a time in RFC 3339.
    #[arg(long, value_name = "DATE", requires = "client_secret_file", value_parser = time::moment)]
    secret_expires: Option<prost_types::Timestamp>,
    /// The file with a certificate and its private key: PEM, or PKCS #12 (.pfx, .p12).
    #[arg(long, value_name = "FILE", conflicts_with = "federated_source")]
    certificate_file: Option<PathBuf>,
    /// The file with the passphrase that opens the private key; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    passphrase_file: Option<PathBuf>,
    /// Sends the certificate's chain too, for an app that trusts a subject name and issuer.
    #[arg(long, requires = "certificate_file")]
    send_chain: bool,
    /// The name of a source of federated assertions in the operator's configuration.
    #[arg(long, value_name = "NAME")]
    federated_source: Option<String>,
}

impl CredentialFlags {
    pub(super) fn is_given(&self) -> bool {
        self.client_secret_file.is_some()
            || self.certificate_file.is_some()
            || self.federated_source.is_some()
    }

    /// Reads the files. `None`: the saved one stays.
    pub(super) fn read(self) -> Result<Option<Credential>, Failure> {
        if let Some(file) = self.client_secret_file {
            let value = input::secret(&file)?.expose_secret().to_owned();
            return Ok(Some(Credential::ClientSecret(ClientSecret {
                value,
                expire_time: self.secret_expires,
            })));
        }
        if let Some(file) = self.certificate_file {
            let passphrase = match self.passphrase_file {
                Some(file) => input::secret(&file)?.expose_secret().to_owned(),
                None => String::new(),
            };
            let content = Some(certificate(&file)?);
            let certificate = Certificate { content, passphrase, send_chain: self.send_chain };
            return Ok(Some(Credential::Certificate(certificate)));
        }
        Ok(self.federated_source.map(|source| Credential::Federated(FederatedCredential { source })))
    }
}

/// PEM is text; whatever is not goes as PKCS #12.
fn certificate(file: &Path) -> Result<Content, Failure> {
    Ok(match String::from_utf8(input::bytes(file)?) {
        Ok(text) if text.contains("-----BEGIN") => Content::Pem(text),
        Ok(text) => Content::Pfx(text.into_bytes().into()),
        Err(other) => Content::Pfx(other.into_bytes().into()),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: CredentialFlags,
    }

    fn read(line: &[&str]) -> Option<Credential> {
        let line = Line::try_parse_from([&["put"], line].concat()).expect("it parses");
        line.flags.read().expect("a credential")
    }

    #[test]
    fn a_secret_comes_from_its_file_without_its_end_of_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret.txt");
        std::fs::write(&file, "s3cret\n").expect("a file");
        let file = file.to_string_lossy();
        let given = read(&["--client-secret-file", &file, "--secret-expires", "2027-01-15"]);
        let Some(Credential::ClientSecret(secret)) = given else { panic!("a client secret") };
        assert_eq!(secret.value, "s3cret");
        assert_eq!(time::shown(secret.expire_time.as_ref()), "2027-01-15T00:00:00Z");
    }

    #[test]
    fn a_certificate_is_pem_or_pfx_by_what_is_in_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, passphrase) = (folder.path().join("app"), folder.path().join("passphrase"));
        std::fs::write(&passphrase, "correct-horse\n").expect("a file");
        let (file_name, passphrase) = (file.to_string_lossy(), passphrase.to_string_lossy());
        let line = ["--certificate-file", &file_name, "--passphrase-file", &passphrase, "--send-chain"];
        std::fs::write(&file, "text\n-----BEGIN CERTIFICATE-----\n").expect("a file");
        let Some(Credential::Certificate(given)) = read(&line) else { panic!("a certificate") };
        assert!(matches!(given.content, Some(Content::Pem(_))));
        assert_eq!((given.passphrase.as_str(), given.send_chain), ("correct-horse", true));
        std::fs::write(&file, b"\x30\x82\xff").expect("a file");
        let Some(Credential::Certificate(given)) = read(&line[..2]) else { panic!("a certificate") };
        assert!(matches!(given.content, Some(Content::Pfx(_))));
    }

    #[test]
    fn a_source_is_named() {
        let given = read(&["--federated-source", "k8s"]);
        assert!(matches!(given, Some(Credential::Federated(federated)) if federated.source == "k8s"));
    }

    #[test]
    fn there_is_one_credential_and_what_belongs_to_it() {
        for line in [
            &["--secret-expires", "2027-01-15"][..],
            &["--client-secret-file", "a", "--certificate-file", "b"],
            &["--client-secret-file", "a", "--federated-source", "b"],
            &["--certificate-file", "a", "--federated-source", "b"],
            &["--passphrase-file", "a"],
            &["--send-chain"],
        ] {
            assert!(Line::try_parse_from([&["put"], line].concat()).is_err(), "{line:?}");
        }
    }
}
