//! The schema of a database: its migrations, in order. They only go forward, and one that was released is never changed.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Each with its number and what it brings.
pub(crate) struct Schema(pub &'static [(i64, &'static str, &'static str)]);

impl Schema {
    /// The number of this program's schema.
    pub(crate) fn newest(&self) -> i64 {
        self.0.iter().map(|(number, ..)| *number).max().unwrap_or(0)
    }

    pub(crate) fn migrator(&self) -> Migrator {
        let migration = |&(number, brings, sql): &(i64, &'static str, &'static str)| {
            Migration::new(number, brings.into(), MigrationType::Simple, sql.into_sql_str(), false)
        };
        Migrator::with_migrations(self.0.iter().map(migration).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_migration_that_is_written_is_made() {
        for (folder, schema) in [("sqlite", &crate::sqlite::SCHEMA), ("postgres", &crate::postgres::SCHEMA)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            let mut written: Vec<_> = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
            let mut made: Vec<_> = schema.0.iter().map(|(.., sql)| (*sql).to_owned()).collect();
            written.sort();
            made.sort();
            assert_eq!(written, made);
            let numbers: Vec<_> = schema.0.iter().map(|(number, ..)| *number).collect();
            assert_eq!(numbers, (1..=schema.newest()).collect::<Vec<_>>());
        }
    }
}
