//! The flags that say settings, and the settings that come of them over the saved ones.

use clap::Args;
use postrider_proto::v1::{Cloud, Settings};

use super::credential::CredentialFlags;
use crate::cli::failure::Failure;
use crate::cli::{value, words};

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsFlags {
    /// The panel's "Directory (tenant) ID": a GUID or a verified domain.
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// The panel's "Application (client) ID": a GUID.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The address of the mailbox that sends.
    #[arg(long, value_name = "ADDRESS")]
    sender_mailbox: Option<String>,
    #[command(flatten)]
    credential: CredentialFlags,
    /// Which of Microsoft's clouds the directory belongs to [default: global].
    #[arg(long, ignore_case = true, value_parser = words::one_of(words::CLOUDS))]
    cloud: Option<Cloud>,
    /// An address that the mailbox may send as; may be given more than once and replaces the list. Empty: none.
    #[arg(long, value_name = "ADDRESS")]
    send_as: Vec<String>,
    /// A label to set; with an empty value, one to remove.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
}

impl SettingsFlags {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { tenant_id, client_id, sender_mailbox, credential, cloud, send_as, label } = self;
        tenant_id.is_none()
            && client_id.is_none()
            && sender_mailbox.is_none()
            && !credential.is_given()
            && cloud.is_none()
            && send_as.is_empty()
            && label.is_empty()
    }

    /// Whether the flags alone are settings, so that the saved ones need not be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.tenant_id.is_some()
            && self.client_id.is_some()
            && self.sender_mailbox.is_some()
            && self.credential.is_given()
    }

    /// The saved settings with the flags over them. What only the service says is left out.
    pub(crate) fn merge(self, saved: Settings) -> Result<Settings, Failure> {
        let credential = self.credential.read()?;
        let mut labels = saved.labels;
        for (key, value) in value::map("--label", self.label)? {
            if value.is_empty() {
                labels.remove(&key);
            } else {
                labels.insert(key, value);
            }
        }
        let send_as = if self.send_as.is_empty() {
            saved.send_as
        } else {
            self.send_as.into_iter().filter(|address| !address.is_empty()).collect()
        };
        Ok(Settings {
            reseller: saved.reseller,
            tenant_id: self.tenant_id.unwrap_or(saved.tenant_id),
            client_id: self.client_id.unwrap_or(saved.client_id),
            credential,
            sender_mailbox: self.sender_mailbox.unwrap_or(saved.sender_mailbox),
            cloud: self.cloud.map_or(saved.cloud, i32::from),
            send_as,
            pace: saved.pace,
            etag: saved.etag,
            labels,
            ..Settings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use postrider_proto::v1::CredentialInfo;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: SettingsFlags,
    }

    fn flags(line: &[&str]) -> SettingsFlags {
        Line::try_parse_from([&["put"], line].concat()).expect("it parses").flags
    }

    fn saved() -> Settings {
        Settings {
            reseller: "acme".to_owned(),
            tenant_id: "t1".to_owned(),
            client_id: "c1".to_owned(),
            sender_mailbox: "sales@acme.example".to_owned(),
            credential_info: Some(CredentialInfo::default()),
            send_as: vec!["support@acme.example".to_owned()],
            etag: "e1".to_owned(),
            labels: [("team".to_owned(), "blue".to_owned())].into(),
            ..Settings::default()
        }
    }

    #[test]
    fn what_is_not_given_stays_and_the_etag_goes_back() {
        let merged = flags(&["--tenant-id", "t2"]).merge(saved()).expect("settings");
        let expected = Settings { tenant_id: "t2".to_owned(), credential_info: None, ..saved() };
        assert_eq!(merged, expected);
    }

    #[test]
    fn a_label_is_set_or_removed_and_send_as_replaced() {
        let line = ["--label", "team=", "--label", "tier=gold", "--send-as", ""];
        let merged = flags(&line).merge(saved()).expect("settings");
        assert_eq!(merged.labels, [("tier".to_owned(), "gold".to_owned())].into());
        assert!(merged.send_as.is_empty());
    }

    #[test]
    fn no_flags_are_no_settings() {
        assert!(flags(&[]).is_empty());
        assert!(!flags(&["--cloud", "china"]).is_empty());
    }
}
