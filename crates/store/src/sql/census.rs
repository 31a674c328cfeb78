//! Reads of how much there is.

use jiff::Timestamp;
use postrider_domain::{MessageState, ResellerId};

use super::{Cells, Reader, Row, Statement, values};
use crate::census::{Backlog, FirstExpiry, LaneState};
use crate::reads::Read;

static BACKLOG: Statement = statement!("read/backlog");
static LANES: Statement = statement!("read/lanes");
static FIRST_EXPIRIES: Statement = statement!("read/first_expiries");

pub(super) async fn backlog(reader: &impl Reader, by_reseller: bool, now: Timestamp) -> Read<Vec<Backlog>> {
    let found = reader.read(&BACKLOG, values![now, by_reseller]).await?;
    let backlog = |row: &Row| {
        let cells = Cells::new(row, "messages", "all");
        Ok(Backlog {
            reseller: owner(cells)?,
            state: cells.parsed("state", MessageState::parse)?,
            messages: cells.get("messages")?,
            first_due: cells.time("first_due")?,
        })
    };
    found.iter().map(backlog).collect()
}

pub(super) async fn lanes(reader: &impl Reader, now: Timestamp) -> Read<Vec<(LaneState, i64)>> {
    let found = reader.read(&LANES, values![now]).await?;
    let lanes = |row: &Row| {
        let cells = Cells::new(row, "resellers", "all");
        Ok((cells.parsed("state", LaneState::parse)?, cells.get("lanes")?))
    };
    found.iter().map(lanes).collect()
}

pub(super) async fn first_expiries(reader: &impl Reader, by_reseller: bool) -> Read<Vec<FirstExpiry>> {
    let found = reader.read(&FIRST_EXPIRIES, values![by_reseller]).await?;
    let expiry = |row: &Row| {
        let cells = Cells::new(row, "settings", "all");
        Ok(FirstExpiry { reseller: owner(cells)?, time: cells.time("expire_time")? })
    };
    found.iter().map(expiry).collect()
}

fn owner(cells: Cells<'_>) -> Read<Option<ResellerId>> {
    cells.optional_parsed("reseller", |text| ResellerId::parse(text).ok())
}
