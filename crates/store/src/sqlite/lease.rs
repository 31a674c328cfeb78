//! Lease: a lane is found by its due time, taken by one conditional update under a random token, and given back with the
//! time of its next work. A write under another token changes nothing.

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    AttemptNumber, EmailAddress, Finding, FindingCode, InDoubtPolicy, Lane, Lease, LeaseToken, MessageId,
    OpenAttempt, Priority, Queued, ResellerId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::cells::{Cells, FindingCells, time, token};
use super::writer::Write;
use super::{SqliteStore, failed};
use crate::StoreError;

const DUE_LANES: &str = sql!("lease/due_lanes");
const NEXT_DUE: &str = sql!("lease/next_due");
const TAKE: &str = sql!("lease/take");
const RECENT_STARTS: &str = sql!("lease/recent_starts");
const OPEN_ATTEMPTS: &str = sql!("lease/open_attempts");
const RENEW: &str = sql!("lease/renew");
const REREAD: &str = sql!("lease/reread");
const RELEASE: &str = sql!("lease/release");
const EXPIRE: &str = sql!("lease/expire");
const NEXT_QUEUED: &str = sql!("lease/next_queued");

/// How far back Microsoft counts messages a minute.
const PACE_WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// Messages that end at once: bounds one transaction. The lane stays due for the rest.
const EXPIRE_MAX: u32 = 1_000;

impl SqliteStore {
    pub(super) async fn read_due_lanes(&self, now: Timestamp, limit: u32) -> Result<Vec<Lane>, StoreError> {
        let rows = sqlx::query(DUE_LANES)
            .bind(now.as_microsecond())
            .bind(limit)
            .bind(self.shared.passed_over.json())
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        let readable = |row| match lane(row) {
            Ok(lane) => Some(lane),
            Err(error) => {
                let reseller = row.get_unchecked::<Vec<u8>, _>("reseller");
                self.shared.passed_over.add(&String::from_utf8_lossy(&reseller), &error);
                None
            }
        };
        Ok(rows.iter().filter_map(readable).collect())
    }

    pub(super) async fn read_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next: Option<i64> = sqlx::query_scalar(NEXT_DUE)
            .bind(self.shared.passed_over.json())
            .fetch_one(&self.reader())
            .await
            .map_err(failed)?;
        Ok(next.and_then(time))
    }

    pub(super) async fn take_lane(&self, take: Take) -> Result<Option<Lease>, StoreError> {
        let reseller = take.reseller.clone();
        match self.write(take).await {
            Err(error @ StoreError::Inconsistent { .. }) => {
                self.shared.passed_over.add(reseller.as_str(), &error);
                Ok(None)
            }
            taken => taken,
        }
    }

    pub(super) async fn read_lease(
        &self,
        reseller: &ResellerId,
        holder: LeaseToken,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        // One snapshot: what is told belongs together.
        let mut snapshot = self.reader().begin().await.map_err(failed)?;
        let row = sqlx::query(REREAD)
            .bind(reseller.as_str())
            .bind(token(&holder))
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(failed)?;
        let read = match row {
            Some(row) => lease(&row, reseller, holder, now, &mut snapshot).await.map(Some),
            None => Ok(None),
        };
        snapshot.rollback().await.map_err(failed)?;
        read
    }

    pub(super) async fn read_next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, StoreError> {
        let rows = sqlx::query(NEXT_QUEUED)
            .bind(reseller.as_str())
            .bind(now.as_microsecond())
            .bind(limit)
            .fetch_all(&self.reader())
            .await
            .map_err(failed)?;
        rows.iter().map(|row| queued(Cells::new(row, "messages", reseller.as_str()))).collect()
    }
}

fn lane(row: &SqliteRow) -> Result<Lane, StoreError> {
    let reseller =
        Cells::new(row, "lanes", "a due row").parsed("reseller", |text| ResellerId::parse(text).ok())?;
    let mailbox = mailbox(Cells::new(row, "lanes", reseller.as_str()))?;
    Ok(Lane { reseller, mailbox })
}

fn mailbox(cells: Cells<'_>) -> Result<EmailAddress, StoreError> {
    cells.parsed("mailbox", |text| EmailAddress::parse(text).ok())
}

fn queued(cells: Cells<'_>) -> Result<Queued, StoreError> {
    Ok(Queued {
        id: cells.message_id()?,
        priority: Priority::of_rank(cells.get("priority")?).ok_or_else(|| cells.bad("priority"))?,
        attempts: cells.count("attempts")?,
        backoffs: cells.count("backoffs")?,
        in_doubt: cells.get("in_doubt")?,
        policy: cells.parsed("policy", InDoubtPolicy::parse)?,
        expire_time: cells.time("expire_time")?,
    })
}

/// The row of `lease/take.sql` or `lease/reread.sql`, and what else its holder is told.
async fn lease(
    row: &SqliteRow,
    reseller: &ResellerId,
    token: LeaseToken,
    now: Timestamp,
    db: &mut SqliteConnection,
) -> Result<Lease, StoreError> {
    let cells = Cells::new(row, "lanes", reseller.as_str());
    let lane = Lane { reseller: reseller.clone(), mailbox: mailbox(cells)? };
    Ok(Lease {
        token,
        hold: cells.hold()?,
        pace: cells.pace()?,
        recent_starts: recent_starts(&lane, now, db).await?,
        open_attempts: open_attempts(reseller, &token, db).await?,
        lane,
    })
}

async fn recent_starts(
    lane: &Lane,
    now: Timestamp,
    db: &mut SqliteConnection,
) -> Result<Vec<Timestamp>, StoreError> {
    let after = now.saturating_sub(PACE_WINDOW).unwrap_or(Timestamp::MIN);
    let starts: Vec<i64> = sqlx::query_scalar(RECENT_STARTS)
        .bind(lane.reseller.as_str())
        .bind(lane.mailbox.as_str())
        .bind(after.as_microsecond())
        .fetch_all(db)
        .await
        .map_err(failed)?;
    Ok(starts.into_iter().filter_map(time).collect())
}

async fn open_attempts(
    reseller: &ResellerId,
    holder: &LeaseToken,
    db: &mut SqliteConnection,
) -> Result<Vec<OpenAttempt>, StoreError> {
    let rows = sqlx::query(OPEN_ATTEMPTS)
        .bind(reseller.as_str())
        .bind(token(holder))
        .fetch_all(db)
        .await
        .map_err(failed)?;
    let open = |row| {
        let cells = Cells::new(row, "attempts", reseller.as_str());
        Ok(OpenAttempt {
            queued: queued(cells.of("messages"))?,
            number: AttemptNumber(cells.count("number")?),
            call_deadline: cells.time("call_deadline")?,
        })
    };
    rows.iter().map(open).collect()
}

pub(super) struct Take {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub now: Timestamp,
    pub until: Timestamp,
}

impl Write for Take {
    type Answer = Option<Lease>;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Option<Lease>, StoreError> {
        let row = sqlx::query(TAKE)
            .bind(self.reseller.as_str())
            .bind(token(&self.token))
            .bind(self.now.as_microsecond())
            .bind(self.until.as_microsecond())
            .fetch_optional(&mut *db)
            .await
            .map_err(failed)?;
        match row {
            Some(row) => lease(&row, &self.reseller, self.token, self.now, db).await.map(Some),
            None => Ok(None),
        }
    }
}

pub(super) struct Renew {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub until: Timestamp,
}

impl Write for Renew {
    type Answer = bool;

    async fn run(&self, db: &mut SqliteConnection) -> Result<bool, StoreError> {
        let renewed = sqlx::query(RENEW)
            .bind(self.reseller.as_str())
            .bind(token(&self.token))
            .bind(self.until.as_microsecond())
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(renewed.rows_affected() > 0)
    }
}

pub(super) struct Release {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub pace_until: Option<Timestamp>,
}

impl Write for Release {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(RELEASE)
            .bind(self.reseller.as_str())
            .bind(token(&self.token))
            .bind(self.pace_until.map(Timestamp::as_microsecond))
            .execute(db)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

pub(super) struct Expire {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub now: Timestamp,
}

impl Write for Expire {
    type Answer = Vec<MessageId>;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Vec<MessageId>, StoreError> {
        let doubt = Finding::new(FindingCode::OutcomeUnknown)
            .with("reason", "an earlier attempt is in doubt, and the time for another ran out");
        let doubt = FindingCells::of(Some(&doubt));
        let rows = sqlx::query(EXPIRE)
            .bind(self.reseller.as_str())
            .bind(token(&self.token))
            .bind(self.now.as_microsecond())
            .bind(EXPIRE_MAX)
            .bind(doubt.code)
            .bind(doubt.class)
            .bind(doubt.evidence)
            .fetch_all(db)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| Cells::new(row, "messages", self.reseller.as_str()).message_id()).collect()
    }
}
