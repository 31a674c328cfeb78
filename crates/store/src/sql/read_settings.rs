//! Reads of settings. What is PAUSED is the lane; READY and UNTESTED are the settings' own.

use jiff::Timestamp;
use postrider_domain::{
    ClientId, Cloud, CredentialInfo, CredentialKind, CredentialVersion, DirectoryId, EmailAddress,
    Fingerprint, ResellerId, Settings, SettingsState, SettingsStatus, SettingsValues, Usage,
};

use super::read::{lane_seen, page as page_of};
use super::{Cells, Reader, Row, Statement, json, rows, values};
use crate::{SettingsFilter, SettingsPage, StoreError, etag};

static SETTINGS: Statement = statement!("read/settings");
static SETTINGS_PAGE: Statement = statement!(each dialect "read/settings_page").of_a_page();
static USAGE: Statement = statement!("read/usage");

pub(super) async fn settings(
    reader: &impl Reader,
    reseller: &ResellerId,
) -> Result<Option<Settings>, StoreError> {
    reader.read(&SETTINGS, values![reseller]).await?.first().map(of_row).transpose()
}

pub(super) async fn page(reader: &impl Reader, filter: SettingsFilter) -> Result<SettingsPage, StoreError> {
    let resellers: Option<Vec<_>> =
        filter.resellers.as_ref().map(|resellers| resellers.iter().map(ResellerId::as_str).collect());
    let wanted = values![
        filter.after.as_ref().map(ResellerId::as_str),
        filter.state.map(name),
        filter.expiring_before.map(Timestamp::as_microsecond),
        resellers.map(|resellers| json(&resellers)),
        i64::from(filter.limit) + 1,
    ];
    let found = reader.read(&SETTINGS_PAGE, wanted).await?;
    let (page, more) = page_of(&found, filter.limit);
    Ok(SettingsPage { settings: page.iter().map(of_row).collect::<Result<_, _>>()?, more })
}

pub(super) async fn usage(
    reader: &impl Reader,
    reseller: &ResellerId,
    first_hour: i64,
) -> Result<Usage, StoreError> {
    let found = reader.read(&USAGE, values![reseller, first_hour]).await?;
    let Some(row) = found.first() else { return Ok(Usage::default()) };
    let cells = Cells::new(row, "resellers", reseller.as_str());
    Ok(Usage {
        queued_messages: cells.count("queued_messages")?,
        queued_bytes: u64::try_from(cells.get::<i64>("queued_bytes")?).unwrap_or(0),
        recipients_last_day: cells.count("recipients_last_day")?,
    })
}

/// As `read/settings_page.sql` computes it.
fn name(state: SettingsState) -> &'static str {
    match state {
        SettingsState::Untested => "untested",
        SettingsState::Ready => "ready",
        SettingsState::Paused => "paused",
    }
}

fn of_row(row: &Row) -> Result<Settings, StoreError> {
    let reseller = rows::owner(row, "settings")?;
    let cells = Cells::new(row, "settings", reseller.as_str());
    let send_as: Vec<String> = cells.json("send_as")?;
    let send_as = send_as.iter().map(|text| EmailAddress::parse(text)).collect::<Result<_, _>>();
    Ok(Settings {
        values: SettingsValues {
            directory: cells.parsed("directory", |text| DirectoryId::parse(text).ok())?,
            client: cells.parsed("client", |text| ClientId::parse(text).ok())?,
            mailbox: rows::mailbox(cells)?,
            cloud: cells.parsed("cloud", Cloud::parse)?,
            send_as: send_as.map_err(|_| cells.bad("send_as"))?,
            pace: cells.pace()?,
            labels: cells.json("labels")?,
        },
        credential: CredentialInfo {
            kind: cells.parsed("credential_kind", CredentialKind::parse)?,
            fingerprint: Fingerprint::of_store(cells.get::<String>("credential_fingerprint")?),
            version: CredentialVersion::of_store(cells.get::<String>("credential_version")?),
            create_time: cells.time("credential_create_time")?,
            expire_time: cells.optional_time("credential_expire_time")?,
        },
        status: status(cells)?,
        etag: etag(cells.get("revision")?),
        update_time: cells.time("update_time")?,
        reseller,
    })
}

fn status(cells: Cells<'_>) -> Result<SettingsStatus, StoreError> {
    if let Some(stop) = lane_seen(cells)?.stop {
        return Ok(SettingsStatus { state: SettingsState::Paused, finding: Some(stop) });
    }
    let state = if cells.flag("works")? { SettingsState::Ready } else { SettingsState::Untested };
    Ok(SettingsStatus { state, finding: cells.finding()? })
}
