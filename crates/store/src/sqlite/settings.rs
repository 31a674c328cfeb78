//! The trait [`SettingsStore`]. Settings and lane are put, woken and deleted together.
//!
//! An etag is the number of the settings: one more with every put, and going on where it was after a deletion, so that
//! an old etag never fits again. What is PAUSED is the lane; READY and UNTESTED are the settings' own.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    ClientId, Cloud, CredentialInfo, CredentialKind, CredentialVersion, DirectoryId, EmailAddress, Etag,
    Finding, FindingCode, Fingerprint, ResellerId, Settings, SettingsState, SettingsStatus, SettingsValues,
    Usage,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::cells::{Cells, FindingCells, json};
use super::writer::Write;
use super::{SqliteStore, failed, record};
use crate::{Deleted, NewSettings, Put, SettingsFilter, SettingsPage, SettingsStore, StoreError};

const GET: &str = sql!("settings/get");
const LIST: &str = sql!("settings/list");
const REVISION: &str = sql!("settings/revision");
const PUT: &str = sql!("settings/put");
const SOURCE_TAKEN: &str = sql!("settings/source_taken");
const WAKE: &str = sql!("settings/wake");
const UNFINISHED: &str = sql!("settings/unfinished");
const DELETE: &str = sql!("settings/delete");
const USAGE: &str = sql!("settings/usage");

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[async_trait]
impl SettingsStore for SqliteStore {
    async fn put_settings(&self, new: NewSettings) -> Result<Put, StoreError> {
        let reseller = new.reseller.clone();
        let put = self.write(PutSettings { new }).await?;
        self.shared.passed_over.forget(reseller.as_str());
        Ok(put)
    }

    async fn get_settings(&self, reseller: &ResellerId) -> Result<Option<Settings>, StoreError> {
        fetch(&self.reader(), reseller).await
    }

    async fn usage(&self, reseller: &ResellerId, now: Timestamp) -> Result<Usage, StoreError> {
        let row = sqlx::query(USAGE)
            .bind(reseller.as_str())
            .bind(now.saturating_sub(DAY).unwrap_or(Timestamp::MIN).as_microsecond())
            .fetch_one(&self.reader())
            .await
            .map_err(failed)?;
        let cells = Cells::new(&row, "messages", reseller.as_str());
        Ok(Usage {
            queued_messages: cells.count("queued_messages")?,
            recipients_last_day: cells.count("recipients_last_day")?,
        })
    }

    async fn list_settings(&self, filter: SettingsFilter) -> Result<SettingsPage, StoreError> {
        let resellers: Option<Vec<_>> =
            filter.resellers.as_ref().map(|resellers| resellers.iter().map(ResellerId::as_str).collect());
        let rows = sqlx::query(LIST)
            .bind(filter.after.as_ref().map(ResellerId::as_str))
            .bind(filter.state.map(name))
            .bind(filter.expiring_before.map(Timestamp::as_microsecond))
            .bind(resellers.map(|resellers| json(&resellers)))
            .bind(i64::from(filter.limit) + 1)
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let settings = rows.iter().take(limit).map(settings).collect::<Result<_, _>>()?;
        Ok(SettingsPage { settings, more: rows.len() > limit })
    }

    async fn delete_settings(
        &self,
        reseller: &ResellerId,
        expected: Option<&Etag>,
        cancel_unfinished: bool,
        now: Timestamp,
    ) -> Result<Deleted, StoreError> {
        let expected = expected.cloned();
        self.write(Delete { reseller: reseller.clone(), expected, cancel_unfinished, now }).await
    }

    async fn settings_work(&self, reseller: &ResellerId, etag: &Etag) -> Result<(), StoreError> {
        self.write(Works { reseller: reseller.clone(), etag: etag.clone() }).await
    }
}

/// As `settings/list.sql` computes it.
fn name(state: SettingsState) -> &'static str {
    match state {
        SettingsState::Untested => "untested",
        SettingsState::Ready => "ready",
        SettingsState::Paused => "paused",
    }
}

fn etag(revision: i64) -> Etag {
    Etag::of_store(revision.to_string())
}

async fn fetch(db: impl SqliteExecutor<'_>, reseller: &ResellerId) -> Result<Option<Settings>, StoreError> {
    let row = sqlx::query(GET).bind(reseller.as_str()).fetch_optional(db).await.map_err(failed)?;
    row.map(|row| settings(&row)).transpose()
}

/// A row of `settings/get.sql` or `settings/list.sql`.
fn settings(row: &SqliteRow) -> Result<Settings, StoreError> {
    let reseller =
        Cells::new(row, "settings", "a row").parsed("reseller", |text| ResellerId::parse(text).ok())?;
    let cells = Cells::new(row, "settings", reseller.as_str());
    let send_as: Vec<String> = cells.json("send_as")?;
    let send_as = send_as.iter().map(|text| EmailAddress::parse(text)).collect::<Result<_, _>>();
    Ok(Settings {
        values: SettingsValues {
            directory: cells.parsed("directory", |text| DirectoryId::parse(text).ok())?,
            client: cells.parsed("client", |text| ClientId::parse(text).ok())?,
            mailbox: cells.parsed("mailbox", |text| EmailAddress::parse(text).ok())?,
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
    if let Some(hold) = cells.hold()? {
        return Ok(SettingsStatus { state: SettingsState::Paused, finding: Some(hold.finding) });
    }
    let state = if cells.get("works")? { SettingsState::Ready } else { SettingsState::Untested };
    Ok(SettingsStatus { state, finding: cells.finding()? })
}

/// The number of the saved settings, and of the last there ever were.
async fn revisions(
    reseller: &ResellerId,
    db: &mut SqliteConnection,
) -> Result<(Option<i64>, i64), StoreError> {
    let (saved, last): (Option<i64>, Option<i64>) =
        sqlx::query_as(REVISION).bind(reseller.as_str()).fetch_one(db).await.map_err(failed)?;
    Ok((saved, last.unwrap_or(0)))
}

struct PutSettings {
    new: NewSettings,
}

impl Write for PutSettings {
    type Answer = Put;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Put, StoreError> {
        let new = &self.new;
        let (saved, last) = revisions(&new.reseller, db).await?;
        if new.expected.is_some() && new.expected != saved.map(etag) {
            return Ok(Put::EtagMismatch);
        }
        if new.credential.kind == CredentialKind::Federated && self.source_is_taken(db).await? {
            return Ok(Put::SourceTaken);
        }
        self.replace(last + 1, db).await?;
        let saved = fetch(db, &new.reseller).await?;
        saved.map(|saved| Put::Saved(Box::new(saved))).ok_or_else(|| StoreError::Inconsistent {
            table: "settings",
            column: "reseller",
            row: new.reseller.to_string(),
        })
    }
}

impl PutSettings {
    async fn source_is_taken(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let NewSettings { reseller, values, credential, .. } = &self.new;
        sqlx::query_scalar(SOURCE_TAKEN)
            .bind(reseller.as_str())
            .bind(values.directory.as_str())
            .bind(values.client.as_str())
            .bind(credential.fingerprint.as_str())
            .fetch_one(db)
            .await
            .map_err(failed)
    }

    async fn replace(&self, revision: i64, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let NewSettings { reseller, values, credential, finding, now, .. } = &self.new;
        let send_as: Vec<_> = values.send_as.iter().map(EmailAddress::as_str).collect();
        let finding = FindingCells::of(finding.as_ref());
        sqlx::query(PUT)
            .bind(reseller.as_str())
            .bind(revision)
            .bind(values.directory.as_str())
            .bind(values.client.as_str())
            .bind(values.mailbox.as_str())
            .bind(values.cloud.as_str())
            .bind(json(&send_as))
            .bind(values.pace.concurrency)
            .bind(values.pace.messages_per_minute)
            .bind(values.pace.recipients_per_day)
            .bind(json(&values.labels))
            .bind(credential.kind.as_str())
            .bind(credential.fingerprint.as_str())
            .bind(credential.version.as_str())
            .bind(credential.create_time.as_microsecond())
            .bind(credential.expire_time.map(Timestamp::as_microsecond))
            .bind(finding.code)
            .bind(finding.class)
            .bind(finding.evidence)
            .bind(now.as_microsecond())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

struct Works {
    reseller: ResellerId,
    etag: Etag,
}

impl Write for Works {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let (saved, _) = revisions(&self.reseller, db).await?;
        if saved.map(etag).as_ref() == Some(&self.etag) {
            record::works(&self.reseller, db).await?;
            sqlx::query(WAKE).bind(self.reseller.as_str()).execute(db).await.map_err(failed)?;
        }
        Ok(())
    }
}

struct Delete {
    reseller: ResellerId,
    expected: Option<Etag>,
    cancel_unfinished: bool,
    now: Timestamp,
}

impl Write for Delete {
    type Answer = Deleted;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Deleted, StoreError> {
        let (saved, _) = revisions(&self.reseller, db).await?;
        let Some(saved) = saved else {
            return Ok(Deleted::Missing);
        };
        if self.expected.as_ref().is_some_and(|expected| *expected != etag(saved)) {
            return Ok(Deleted::EtagMismatch);
        }
        let row =
            sqlx::query(UNFINISHED).bind(self.reseller.as_str()).fetch_one(&mut *db).await.map_err(failed)?;
        let cells = Cells::new(&row, "messages", self.reseller.as_str());
        let (in_flight, waiting) = (cells.count("in_flight")?, cells.count("waiting")?);
        if !self.cancel_unfinished && in_flight + waiting > 0 {
            return Ok(Deleted::Unfinished(in_flight + waiting));
        }
        if in_flight > 0 {
            return Ok(Deleted::InFlight(in_flight));
        }
        let doubt = Finding::new(FindingCode::OutcomeUnknown)
            .with("reason", "an earlier attempt is in doubt, and the settings for another were deleted");
        let doubt = FindingCells::of(Some(&doubt));
        sqlx::query(DELETE)
            .bind(self.reseller.as_str())
            .bind(self.now.as_microsecond())
            .bind(doubt.code)
            .bind(doubt.class)
            .bind(doubt.evidence)
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(Deleted::Done)
    }
}
