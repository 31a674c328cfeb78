//! The invariants of what is stored, looked at without a change to it: beside a service that runs, and after one that was
//! killed.
//!
//! Each invariant is one statement under `sql/check/` that finds what breaks it, and so sees one moment, whatever is written
//! meanwhile.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Cells, Reader, Row, Statement, values};
use crate::StoreError;

/// What of one invariant is shown at most.
const SHOWN_MAX: i64 = 20;

/// An invariant, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub name: &'static str,
    /// What holds of a sound store.
    pub promise: &'static str,
    /// In words; the first of them, where there are many.
    pub broken: Vec<String>,
}

struct Invariant {
    name: &'static str,
    promise: &'static str,
    statement: Statement,
    /// Whether what it finds depends on the time.
    is_timed: bool,
}

impl Invariant {
    const fn new(name: &'static str, promise: &'static str, statement: Statement) -> Self {
        Self { name, promise, statement, is_timed: false }
    }

    const fn timed(name: &'static str, promise: &'static str, statement: Statement) -> Self {
        Self { name, promise, statement, is_timed: true }
    }
}

static INVARIANTS: [Invariant; 11] = [
    Invariant::new(
        "states",
        "a message is in one of its states, and has ended if that is an end",
        statement!("check/states"),
    ),
    Invariant::new(
        "contents",
        "what is unfinished has its content, and what has ended loses it some day",
        statement!("check/contents"),
    ),
    Invariant::timed(
        "request keys",
        "a repeated request is known again, until a day after its message's end",
        statement!("check/request_keys"),
    ),
    Invariant::new("attempts", "no attempt is missing from a history", statement!("check/attempts")),
    Invariant::new(
        "in flight",
        "what is being sent has an attempt in flight with a deadline",
        statement!("check/in_flight"),
    ),
    Invariant::new(
        "outcomes",
        "SENT is a recorded 202, and no doubt is hidden",
        statement!("check/outcomes"),
    ),
    Invariant::timed("lanes", "what waits is found by a dispatcher in time", statement!("check/lanes")),
    Invariant::new(
        "queues",
        "a reseller's place in the queue is that of its unfinished messages",
        statement!("check/queues"),
    ),
    Invariant::timed("events", "those who watch miss nothing", statement!("check/events")),
    Invariant::new(
        "settings",
        "a lane goes by the saved settings, whose credential is there",
        statement!("check/settings"),
    ),
    Invariant::new("audit", "no audit event is missing from its chain", statement!("check/audit")),
];

/// All of them, as they are at `now` by the database's clock.
pub(crate) async fn check(reader: &impl Reader, now: Timestamp) -> Result<Vec<Checked>, StoreError> {
    let mut checked = Vec::with_capacity(INVARIANTS.len());
    for Invariant { name, promise, statement, is_timed } in &INVARIANTS {
        let values = if *is_timed { values![SHOWN_MAX, now] } else { values![SHOWN_MAX] };
        let rows = reader.read(statement, values).await?;
        let broken = rows.iter().map(found).collect::<Result<_, _>>()?;
        checked.push(Checked { name, promise, broken });
    }
    Ok(checked)
}

fn found(row: &Row) -> Result<String, StoreError> {
    let cells = Cells::new(row, "check", "a row");
    let (reseller, found): (&str, &str) = (cells.get("reseller")?, cells.get("found")?);
    let message = cells.get::<Option<&[u8]>>("message_id")?;
    Ok(match message.map(Uuid::from_slice) {
        Some(Ok(id)) => format!("message {} of {reseller} {found}", id.hyphenated()),
        Some(Err(_)) => format!("a message of {reseller} {found}"),
        None => format!("{reseller} {found}"),
    })
}
