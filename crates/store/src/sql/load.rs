//! A book from the database: resellers first, whose rows are locked where others write too.

use std::collections::BTreeSet;

use jiff::Timestamp;
use postrider_domain::{CredentialVersion, EmailAddress, ResellerId, limits};

use super::{Cells, Db, Statement, Value, execute_each, fetch_each, rows, values};
use crate::StoreError;
use crate::book::{Book, ChainRow, MessageKey, Needs};

/// Messages whose recipients are looked at again: bounds one transaction. The rest come within a day.
const SET_ASIDE_MAX: u32 = 500;

static MAKE_RESELLERS: Statement = statement!("make/resellers");
static RESELLERS: Statement = statement!(each dialect "load/resellers");
static MESSAGES: Statement = statement!("load/messages");
static ATTEMPTS: Statement = statement!("load/attempts");
static OPEN_ATTEMPTS: Statement = statement!(each dialect "load/open_attempts");
static RECENT_ATTEMPTS: Statement = statement!("load/recent_attempts");
static HOURS: Statement = statement!("load/hours");
static REQUEST_KEYS: Statement = statement!("load/request_keys");
static EXPIRING: Statement = statement!("load/expiring");
static WAITING: Statement = statement!(each dialect "load/waiting");
static SET_ASIDE: Statement = statement!("load/set_aside");
static ACCESS_KEYS: Statement = statement!("load/access_keys");
static MAKE_CHAINS: Statement = statement!("make/audit_chains");
static CHAINS: Statement = statement!(each dialect "load/audit_chains");
static CHANGES: Statement = statement!("load/changes");
static CREDENTIALS: Statement = statement!("load/credentials");
static LOCK_SOURCES: Statement = statement!(each dialect "load/lock_sources");
static SOURCES: Statement = statement!("load/sources");
static SEALED: Statement = statement!(each dialect "load/sealed");
static META: Statement = statement!(each dialect "load/meta");

pub(crate) async fn load(db: &mut impl Db, needs: &Needs, book: &mut Book) -> Result<(), StoreError> {
    execute_each(db, &MAKE_RESELLERS, each(&needs.made, |reseller| values![reseller])).await?;
    for row in fetch_each(db, &RESELLERS, each(&needs.resellers, |reseller| values![reseller])).await? {
        let reseller = rows::owner(&row, "resellers")?;
        let found = match rows::reseller(&row, &reseller) {
            Err(StoreError::Inconsistent { .. }) if needs.mended.contains(&reseller) => {
                rows::reseller_without_lane(&row, &reseller)?
            }
            found => found?,
        };
        book.resellers.load(reseller, found);
    }
    let keys = each(&needs.request_keys, |(reseller, request_id)| values![reseller, request_id]);
    for row in fetch_each(db, &REQUEST_KEYS, keys).await? {
        let (key, found) = rows::request_key(&row)?;
        book.request_keys.load(key, found);
    }
    let wanted = each(&needs.attempts, |(reseller, id, number)| values![reseller, *id, *number]);
    load_attempts(db, &ATTEMPTS, wanted, book).await?;
    load_messages(db, needs, book).await?;
    load_hours(db, needs, book).await?;
    load_credentials(db, needs, book).await?;
    for row in fetch_each(db, &ACCESS_KEYS, each(&needs.access_keys, |id| values![id.as_str()])).await? {
        let key = rows::access_key(&row)?;
        book.access_keys.load(key.id.clone(), key);
    }
    load_chains(db, needs, book).await?;
    for row in fetch_each(db, &META, each(&needs.meta, |name| values![*name])).await? {
        let cells = Cells::new(&row, "meta", "a row");
        let name: &str = cells.get("name")?;
        if let Some(name) = needs.meta.iter().find(|wanted| **wanted == name) {
            book.meta.load(name, cells.get("value")?);
        }
    }
    Ok(())
}

/// After the resellers', so that all take these locks in one order.
async fn load_chains(db: &mut impl Db, needs: &Needs, book: &mut Book) -> Result<(), StoreError> {
    let slug = |chain: &Option<ResellerId>| chain.as_ref().map_or("", ResellerId::as_str).to_owned();
    let start = ChainRow::START.hash.0;
    execute_each(db, &MAKE_CHAINS, each(&needs.chains, |chain| values![slug(chain), start.as_slice()]))
        .await?;
    for row in fetch_each(db, &CHAINS, each(&needs.chains, |chain| values![slug(chain)])).await? {
        let (chain, end) = rows::chain(&row)?;
        book.chains.load(chain, end);
    }
    Ok(())
}

async fn load_credentials(db: &mut impl Db, needs: &Needs, book: &mut Book) -> Result<(), StoreError> {
    for row in fetch_each(db, &CHANGES, each(&needs.changes, |reseller| values![reseller])).await? {
        let reseller = rows::owner(&row, "credential_changes")?;
        let cells = Cells::new(&row, "credential_changes", reseller.as_str());
        let (id, time) = (cells.get("change_id")?, cells.time("change_time")?);
        book.changes.entry(reseller).or_default().insert(id, time);
    }
    for row in fetch_each(db, &CREDENTIALS, each(&needs.credentials, |reseller| values![reseller])).await? {
        let reseller = rows::owner(&row, "settings")?;
        let version: String = Cells::new(&row, "settings", reseller.as_str()).get("credential_version")?;
        book.credentials.insert(reseller, CredentialVersion::of_store(version));
    }
    if !needs.sources.is_empty() {
        db.fetch(&LOCK_SOURCES, 1, values![]).await?;
    }
    let sources =
        each(&needs.sources, |(client, fingerprint)| values![client.as_str(), fingerprint.as_str()]);
    for row in fetch_each(db, &SOURCES, sources).await? {
        book.sources.insert(rows::source(&row)?);
    }
    let sealed = each(&needs.sealed, |(reseller, version)| values![reseller, version.as_str()]);
    for row in fetch_each(db, &SEALED, sealed).await? {
        let (reseller, record) = rows::sealed(&row)?;
        book.sealed.insert((reseller, record.version.clone()), record);
    }
    Ok(())
}

fn each<T>(wanted: &BTreeSet<T>, values: impl Fn(&T) -> Vec<Value>) -> Vec<Vec<Value>> {
    wanted.iter().map(values).collect()
}

/// Those that are named, those of open attempts, and those that expire or wait.
async fn load_messages(db: &mut impl Db, needs: &Needs, book: &mut Book) -> Result<(), StoreError> {
    let mut wanted: BTreeSet<MessageKey> = needs.messages.clone();
    let open = each(&needs.open, |reseller| values![reseller]);
    for (reseller, id, _) in load_attempts(db, &OPEN_ATTEMPTS, open, book).await? {
        wanted.insert((reseller, id));
    }
    let minute = limits::PACE_MINUTE + limits::CALL_BEGINS_WITHIN;
    let after = book.now().saturating_sub(minute).unwrap_or(Timestamp::MIN);
    let recent = each(&needs.recent, |reseller| values![reseller, after]);
    load_attempts(db, &RECENT_ATTEMPTS, recent, book).await?;
    let keys = each(&wanted, |(reseller, id)| values![reseller, *id]);
    let mut found = fetch_each(db, &MESSAGES, keys).await?;
    for (reseller, limit) in &needs.expiring {
        found.append(&mut db.fetch(&EXPIRING, 1, values![reseller, book.now(), *limit]).await?);
    }
    for (reseller, limit) in &needs.waiting {
        found.append(&mut db.fetch(&WAITING, 1, values![reseller, *limit]).await?);
    }
    for reseller in &needs.set_aside {
        found.append(&mut db.fetch(&SET_ASIDE, 1, values![reseller, book.now(), SET_ASIDE_MAX]).await?);
    }
    for row in found {
        let (key, message) = rows::message(&row)?;
        book.messages.load(key, message);
    }
    Ok(())
}

async fn load_attempts(
    db: &mut impl Db,
    statement: &'static Statement,
    wanted: Vec<Vec<Value>>,
    book: &mut Book,
) -> Result<Vec<crate::book::AttemptKey>, StoreError> {
    let mut keys = Vec::new();
    for row in fetch_each(db, statement, wanted).await? {
        let (key, attempt) = rows::attempt(&row)?;
        keys.push(key.clone());
        book.attempts.load(key, attempt);
    }
    Ok(keys)
}

async fn load_hours(db: &mut impl Db, needs: &Needs, book: &mut Book) -> Result<(), StoreError> {
    for row in fetch_each(db, &HOURS, each(&needs.hours, |reseller| values![reseller])).await? {
        let reseller: ResellerId = rows::owner(&row, "recipient_hours")?;
        let cells = Cells::new(&row, "recipient_hours", reseller.as_str());
        let mailbox: EmailAddress = rows::mailbox(cells)?;
        let (hour, recipients) = (cells.get("hour")?, cells.get("recipients")?);
        book.hours.insert((reseller.clone(), mailbox, hour), recipients);
    }
    Ok(())
}
