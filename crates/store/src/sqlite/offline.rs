//! Without serving the file: whether it is sound, beside whoever has it; and its schema, while nobody has it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use super::open::{Place, SCHEMA};
use super::{SqliteReader, SqliteStore};
use crate::sql::{self, Checked, Pages};
use crate::{Migrated, StoreError};

impl SqliteStore {
    /// Reads all of the file and changes nothing, also while a service has it.
    pub async fn check(path: &Path, now: Timestamp) -> Result<Vec<Checked>, StoreError> {
        let place = Place::new(path, None);
        must_be_there(&place)?;
        let options = SqlitePoolOptions::new().max_connections(1);
        let reader = options.connect_with(place.options().read_only(true)).await;
        let reader = reader.map_err(|error| place.unreadable(&error))?;
        let checked = look(&place, &reader, now).await;
        reader.close().await;
        checked
    }

    /// Brings a file to this program's schema. No service may have it.
    pub async fn migrate(path: &Path) -> Result<Migrated, StoreError> {
        let place = Place::new(path, None);
        let _lock = place.lock()?;
        must_be_there(&place)?;
        let mut db = place.connect_writer().await?;
        let from = place.check(&mut db).await?;
        SCHEMA.migrator().run(&mut db).await.map_err(|error| place.refused(&error))?;
        db.close().await.map_err(|error| place.unreadable(&error))?;
        Ok(Migrated { from, to: SCHEMA.newest() })
    }
}

fn must_be_there(place: &Place) -> Result<(), StoreError> {
    if place.is_there()? { Ok(()) } else { Err(place.error("is not there: name another data directory")) }
}

async fn look(place: &Place, reader: &SqlitePool, now: Timestamp) -> Result<Vec<Checked>, StoreError> {
    let unreadable = |error| place.unreadable(&error);
    let mut db = reader.acquire().await.map_err(unreadable)?;
    let version = place.check(&mut db).await?;
    if version < SCHEMA.newest() {
        let what =
            format!("has schema {version} in place of {}: run `postrider migrate` first", SCHEMA.newest());
        return Err(place.error(&what));
    }
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
        .fetch_all(&mut *db)
        .await
        .map_err(|error| place.unreadable(&error))?;
    drop(db);
    let mut checked = vec![Checked {
        name: "file",
        promise: "every page, index and constraint is as SQLite wrote it",
        broken: found.into_iter().filter(|line| line != "ok").collect(),
    }];
    // What is damaged below may be anything above.
    if checked.iter().all(|one| one.broken.is_empty()) {
        let reader = SqliteReader::new(reader.clone(), Arc::new(Pages::among(1)));
        checked.extend(sql::check(&reader, now).await?);
    }
    Ok(checked)
}
