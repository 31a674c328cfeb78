//! Columns become domain values here. What cannot be read is named by table, column and row, and fails that read only.
//!
//! Times are microseconds since 1970; findings and holds lie in several columns, whose names these functions know.

use jiff::Timestamp;
use postrider_domain::{Finding, FindingClass, FindingCode, Hold, MessageId, PaceOverride};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

use crate::StoreError;

/// A row as a database gave it.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column can be read as, from either database.
pub(crate) trait Readable<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Readable<'r> for T where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    fn try_get<'r, T: Readable<'r>>(&'r self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

/// A row of a table, and whose it is.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'r> {
    row: &'r Row,
    table: &'static str,
    owner: &'r str,
}

impl<'r> Cells<'r> {
    pub(crate) fn new(row: &'r Row, table: &'static str, owner: &'r str) -> Self {
        Self { row, table, owner }
    }

    /// The same row, for columns that were joined from another table.
    pub(crate) fn of(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    pub(crate) fn bad(self, column: &'static str) -> StoreError {
        let row = match self.row.try_get::<Vec<u8>>("message_id").map(|bytes| Uuid::from_slice(&bytes)) {
            Ok(Ok(id)) => format!("{}/{}", self.owner, id.hyphenated()),
            _ => self.owner.to_owned(),
        };
        StoreError::Inconsistent { table: self.table, column, row }
    }

    pub(crate) fn get<T>(self, column: &'static str) -> Result<T, StoreError>
    where
        T: Readable<'r>,
    {
        self.row.try_get(column).map_err(|_| self.bad(column))
    }

    pub(crate) fn count(self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.bad(column))
    }

    pub(crate) fn optional_count(self, column: &'static str) -> Result<Option<u32>, StoreError> {
        let number = self.get::<Option<i64>>(column)?;
        number.map(|number| u32::try_from(number).map_err(|_| self.bad(column))).transpose()
    }

    pub(crate) fn time(self, column: &'static str) -> Result<Timestamp, StoreError> {
        time(self.get(column)?).ok_or_else(|| self.bad(column))
    }

    pub(crate) fn optional_time(self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.get::<Option<i64>>(column)?;
        micros.map(|micros| time(micros).ok_or_else(|| self.bad(column))).transpose()
    }

    pub(crate) fn parsed<T>(
        self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.get(column)?).ok_or_else(|| self.bad(column))
    }

    pub(crate) fn optional_parsed<T>(
        self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let text = self.get::<Option<&str>>(column)?;
        text.map(|text| parse(text).ok_or_else(|| self.bad(column))).transpose()
    }

    pub(crate) fn flag(self, column: &'static str) -> Result<bool, StoreError> {
        self.get(column)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|_| self.bad(column))
    }

    pub(crate) fn bytes<const N: usize>(self, column: &'static str) -> Result<[u8; N], StoreError> {
        self.get::<&[u8]>(column)?.try_into().map_err(|_| self.bad(column))
    }

    pub(crate) fn message_id(self) -> Result<MessageId, StoreError> {
        Ok(MessageId::of_uuid(Uuid::from_bytes(self.bytes("message_id")?)))
    }

    pub(crate) fn finding(self) -> Result<Option<Finding>, StoreError> {
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
    pub(crate) fn hold(self) -> Result<Option<Hold>, StoreError> {
        let lane = self.of("resellers");
        let Some(finding) = lane.finding_in(["hold_code", "hold_class", "hold_evidence"])? else {
            return Ok(None);
        };
        let (probe_time, probes) = (lane.time("hold_probe_time")?, lane.count("hold_probes")?);
        Ok(Some(Hold { finding, probe_time, probes }))
    }

    /// The settings' pace.
    pub(crate) fn pace(self) -> Result<PaceOverride, StoreError> {
        let settings = self.of("resellers");
        Ok(PaceOverride {
            concurrency: settings.optional_count("pace_concurrency")?,
            messages_per_minute: settings.optional_count("pace_messages_per_minute")?,
            recipients_per_day: settings.optional_count("pace_recipients_per_day")?,
        })
    }
}

pub(crate) fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// A finding as its three columns.
pub(crate) struct FindingCells {
    pub code: Option<&'static str>,
    pub class: Option<&'static str>,
    pub evidence: Option<String>,
}

impl FindingCells {
    pub(crate) fn of(finding: Option<&Finding>) -> Self {
        Self {
            code: finding.map(|finding| finding.code.as_str()),
            class: finding.map(|finding| finding.class.as_str()),
            evidence: finding.map(|finding| json(&finding.evidence)),
        }
    }
}

/// Maps and lists of text; nothing in them can fail to be written.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
