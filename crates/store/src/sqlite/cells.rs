//! Columns become domain values here. What cannot be read is named by table, column and row, and fails that read only.
//!
//! Times are microseconds since 1970; findings and holds lie in several columns, whose names these functions know.

use jiff::Timestamp;
use postrider_domain::{Finding, FindingClass, FindingCode, Hold, LeaseToken, MessageId, PaceOverride};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use uuid::Uuid;

use crate::StoreError;

/// A row of a table, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Cells<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    owner: &'r str,
}

impl<'r> Cells<'r> {
    pub(super) fn new(row: &'r SqliteRow, table: &'static str, owner: &'r str) -> Self {
        Self { row, table, owner }
    }

    /// The same row, for columns that were joined from another table.
    pub(super) fn of(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    pub(super) fn bad(self, column: &'static str) -> StoreError {
        let row = match self.row.try_get::<Vec<u8>, _>("message_id").map(|bytes| Uuid::from_slice(&bytes)) {
            Ok(Ok(id)) => format!("{}/{}", self.owner, id.hyphenated()),
            _ => self.owner.to_owned(),
        };
        StoreError::Inconsistent { table: self.table, column, row }
    }

    pub(super) fn get<T>(self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|_| self.bad(column))
    }

    pub(super) fn count(self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.bad(column))
    }

    pub(super) fn optional_count(self, column: &'static str) -> Result<Option<u32>, StoreError> {
        let number = self.get::<Option<i64>>(column)?;
        number.map(|number| u32::try_from(number).map_err(|_| self.bad(column))).transpose()
    }

    pub(super) fn time(self, column: &'static str) -> Result<Timestamp, StoreError> {
        time(self.get(column)?).ok_or_else(|| self.bad(column))
    }

    pub(super) fn optional_time(self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.get::<Option<i64>>(column)?;
        micros.map(|micros| time(micros).ok_or_else(|| self.bad(column))).transpose()
    }

    pub(super) fn parsed<T>(
        self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.get(column)?).ok_or_else(|| self.bad(column))
    }

    pub(super) fn optional_parsed<T>(
        self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let text = self.get::<Option<&str>>(column)?;
        text.map(|text| parse(text).ok_or_else(|| self.bad(column))).transpose()
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|_| self.bad(column))
    }

    pub(super) fn bytes<const N: usize>(self, column: &'static str) -> Result<[u8; N], StoreError> {
        self.get::<&[u8]>(column)?.try_into().map_err(|_| self.bad(column))
    }

    pub(super) fn message_id(self) -> Result<MessageId, StoreError> {
        Ok(MessageId::of_uuid(Uuid::from_bytes(self.bytes("message_id")?)))
    }

    pub(super) fn finding(self) -> Result<Option<Finding>, StoreError> {
        self.finding_in(["finding_code", "finding_class", "finding_evidence"])
    }

    fn finding_in(self, [code, class, evidence]: [&'static str; 3]) -> Result<Option<Finding>, StoreError> {
        let Some(known) = self.optional_parsed(code, FindingCode::parse)? else {
            return Ok(None);
        };
        let class = self.parsed(class, FindingClass::parse)?;
        Ok(Some(Finding { code: known, class, evidence: self.json(evidence)? }))
    }

    /// The lane's hold.
    pub(super) fn hold(self) -> Result<Option<Hold>, StoreError> {
        let lane = self.of("lanes");
        let Some(finding) = lane.finding_in(["hold_code", "hold_class", "hold_evidence"])? else {
            return Ok(None);
        };
        let (probe_time, probes) = (lane.time("hold_probe_time")?, lane.count("hold_probes")?);
        Ok(Some(Hold { finding, probe_time, probes }))
    }

    /// The settings' pace.
    pub(super) fn pace(self) -> Result<PaceOverride, StoreError> {
        let settings = self.of("settings");
        Ok(PaceOverride {
            concurrency: settings.optional_count("pace_concurrency")?,
            messages_per_minute: settings.optional_count("pace_messages_per_minute")?,
            recipients_per_day: settings.optional_count("pace_recipients_per_day")?,
        })
    }
}

pub(super) fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// The time as it will be read back.
pub(super) fn as_stored(time: Timestamp) -> Timestamp {
    self::time(time.as_microsecond()).unwrap_or(time)
}

/// A finding as its three columns.
pub(super) struct FindingCells {
    pub code: Option<&'static str>,
    pub class: Option<&'static str>,
    pub evidence: Option<String>,
}

impl FindingCells {
    pub(super) fn of(finding: Option<&Finding>) -> Self {
        Self {
            code: finding.map(|finding| finding.code.as_str()),
            class: finding.map(|finding| finding.class.as_str()),
            evidence: finding.map(|finding| json(&finding.evidence)),
        }
    }
}

/// Maps and lists of text; nothing in them can fail to be written.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A lease's token as it is stored.
pub(super) fn token(token: &LeaseToken) -> &[u8] {
    token.as_bytes().as_slice()
}
