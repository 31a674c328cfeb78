//! Between rows and SQL: statements, values, cells, and how a book is loaded and saved.
//!
//! | file | does |
//! | --- | --- |
//! | `statement` | a `.sql` file, written once or once a dialect, for one row or many |
//! | `value` | domain values to parameters |
//! | `cells` | columns to domain values |
//! | `rows` | columns to rows of a book |
//! | `load`, `save` | a book from the database, and back |
//! | `read`, `read_settings`, `watch`, `census` | what is read without a book |
//! | `pages` | how many lists are read at a time |
//! | `check` | what is read to see whether all of it is sound |
//!
//! Both databases hold the same: times as microseconds since 1970, ids as bytes, maps and lists as JSON text. Where their
//! SQL differs, a statement has a file a dialect, and the difference is explained there.

/// A statement by its path under `sql/`; with `each dialect`, by its path under `sql/sqlite/` and `sql/postgres/`.
macro_rules! statement {
    ($path:literal) => {
        $crate::sql::Statement::new(
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $path, ".sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $path, ".sql")),
        )
    };
    (each dialect $path:literal) => {
        $crate::sql::Statement::new(
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sqlite/", $path, ".sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/postgres/", $path, ".sql")),
        )
    };
}

mod cells;
mod census;
mod check;
mod load;
mod pages;
mod read;
mod read_settings;
mod rows;
mod save;
mod statement;
mod value;
mod watch;

pub(crate) use self::cells::{Cells, FindingCells, Row, json};
pub use self::check::Checked;
pub(crate) use self::check::check;
pub(crate) use self::load::load;
pub(crate) use self::pages::Pages;
pub(crate) use self::save::save;
pub(crate) use self::statement::{Dialect, Statement};
pub(crate) use self::value::{Value, values};
use crate::StoreError;

/// A connection within a transaction.
pub(crate) trait Db: Send {
    /// `values` are those of so many rows, one row after the other.
    fn fetch(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    fn execute(
        &mut self,
        statement: &'static Statement,
        rows: usize,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Where reads go that need no transaction of a write: each sees what is committed.
pub(crate) trait Reader: Send + Sync {
    fn read(
        &self,
        statement: &'static Statement,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
}

/// Rows of one statement at once: a power of two, so that few texts of it are ever prepared.
pub(crate) const ROWS_MAX: usize = 64;

/// Sizes of the batches that so many rows are worked through in.
fn batches(mut rows: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let size = match rows {
            0 => return None,
            rows if rows >= ROWS_MAX => ROWS_MAX,
            rows => 1 << rows.ilog2(),
        };
        rows -= size;
        Some(size)
    })
}

/// What a statement finds for each row of values.
async fn fetch_each(
    db: &mut impl Db,
    statement: &'static Statement,
    rows: Vec<Vec<Value>>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    let sizes = batches(rows.len());
    let mut rows = rows.into_iter();
    for size in sizes {
        let values = rows.by_ref().take(size).flatten().collect();
        found.append(&mut db.fetch(statement, size, values).await?);
    }
    Ok(found)
}

async fn execute_each(
    db: &mut impl Db,
    statement: &'static Statement,
    rows: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    let sizes = batches(rows.len());
    let mut rows = rows.into_iter();
    for size in sizes {
        let values = rows.by_ref().take(size).flatten().collect();
        db.execute(statement, size, values).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_go_in_few_sizes() {
        assert_eq!(batches(0).count(), 0);
        assert_eq!(batches(1).collect::<Vec<_>>(), [1]);
        assert_eq!(batches(37).collect::<Vec<_>>(), [32, 4, 1]);
        assert_eq!(batches(200).collect::<Vec<_>>(), [64, 64, 64, 8]);
    }
}
