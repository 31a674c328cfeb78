//! Settings as a person reads them.

use postrider_proto::v1::{CredentialInfo, CredentialKind, ListSettingsResponse, Settings, SettingsState};

use crate::cli::screen::{Colour, Screen, listed, plain};
use crate::cli::{finding, time, words};

pub(crate) fn text(settings: &Settings, screen: &Screen) -> String {
    let status = settings.status.clone().unwrap_or_default();
    let usage = settings.usage.unwrap_or_default();
    let labels: Vec<_> = settings.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut text = listed(&[
        ("reseller", plain(&settings.reseller)),
        ("state", screen.paint(colour(status.state()), state(status.state()))),
        ("tenant id", plain(&settings.tenant_id)),
        ("client id", plain(&settings.client_id)),
        ("credential", settings.credential_info.as_ref().map(credential).unwrap_or_default()),
        ("sender mailbox", plain(&settings.sender_mailbox)),
        ("cloud", words::short(settings.cloud().as_str_name(), "CLOUD_").to_owned()),
        ("send as", plain(&settings.send_as.join(", "))),
        ("labels", plain(&labels.join(" "))),
        ("pace", pace(settings)),
        ("last 24 hours", format!("{} recipients", usage.recipients_last_day)),
        ("queued", format!("{} messages", usage.queued_messages)),
        ("updated", time::shown(settings.update_time.as_ref())),
        ("etag", plain(&settings.etag)),
    ]);
    if let Some(finding) = &status.finding {
        text += "\n";
        text += &finding::text(finding, "", screen);
    }
    text
}

pub(crate) fn table(response: &ListSettingsResponse, screen: &Screen) -> String {
    let row = |settings: &Settings| {
        let status = settings.status.clone().unwrap_or_default();
        let expires = settings.credential_info.as_ref().and_then(|info| info.expire_time.as_ref());
        vec![
            plain(&settings.reseller),
            state(status.state()).to_owned(),
            plain(&settings.sender_mailbox),
            time::shown(expires),
            settings.usage.unwrap_or_default().queued_messages.to_string(),
            status.finding.map(|finding| plain(&finding.code)).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = response.settings.iter().map(row).collect();
    screen.table(&["RESELLER", "STATE", "SENDER_MAILBOX", "CREDENTIAL_EXPIRES", "QUEUED", "FINDING"], &rows)
}

fn credential(info: &CredentialInfo) -> String {
    let kind = match info.kind() {
        CredentialKind::Unspecified => "unknown",
        CredentialKind::ClientSecret => "client secret",
        CredentialKind::Certificate => "certificate",
        CredentialKind::Federated => "federated",
    };
    let expires = match time::shown(info.expire_time.as_ref()) {
        none if none.is_empty() => "expiry not known".to_owned(),
        expires => format!("expires {expires}"),
    };
    format!("{kind}, {expires}, put {}", time::shown(info.create_time.as_ref()))
}

fn pace(settings: &Settings) -> String {
    let Some(pace) = &settings.pace else { return String::new() };
    let parts = [
        pace.concurrency.map(|count| format!("{count} at once")),
        pace.messages_per_minute.map(|count| format!("{count} messages a minute")),
        pace.recipients_per_day.map(|count| format!("{count} recipients a day")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn state(state: SettingsState) -> &'static str {
    words::short(state.as_str_name(), "SETTINGS_STATE_")
}

fn colour(state: SettingsState) -> Colour {
    match state {
        SettingsState::Ready => Colour::Green,
        SettingsState::Paused => Colour::Red,
        SettingsState::Unspecified | SettingsState::Untested => Colour::Yellow,
    }
}

#[cfg(test)]
mod tests {
    use postrider_proto::v1::{Cloud, SettingsStatus};

    use super::*;

    #[test]
    fn settings_are_shown_without_what_they_do_not_have() {
        let settings = Settings {
            reseller: "acme".to_owned(),
            tenant_id: "t1".to_owned(),
            sender_mailbox: "sales@acme.example".to_owned(),
            cloud: Cloud::Global.into(),
            credential_info: Some(CredentialInfo {
                kind: CredentialKind::ClientSecret.into(),
                create_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
                ..CredentialInfo::default()
            }),
            status: Some(SettingsStatus { state: SettingsState::Untested.into(), finding: None }),
            ..Settings::default()
        };
        insta::assert_snapshot!(text(&settings, &Screen::piped()), @r"
        reseller        acme
        state           UNTESTED
        tenant id       t1
        credential      client secret, expiry not known, put 2027-01-15T08:00:00Z
        sender mailbox  sales@acme.example
        cloud           GLOBAL
        last 24 hours   0 recipients
        queued          0 messages
        ");
    }
}
