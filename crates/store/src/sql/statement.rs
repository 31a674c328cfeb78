//! A statement: a `.sql` file, for one row of values or for many.
//!
//! What stands between two `/*each*/` marks is repeated for each row, its parameters counted on, so that the file as it is
//! serves one row. A statement without marks takes one row. What stands between two `/*alone*/` marks is for one row only, and
//! left out where there are more.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::ROWS_MAX;

const MARK: &str = "/*each*/";
const ALONE: &str = "/*alone*/";
const SIZES: usize = ROWS_MAX.ilog2() as usize + 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

#[derive(Debug)]
pub(crate) struct Statement {
    /// Its path under `sql/`, or under the dialect's folder there.
    pub(crate) path: &'static str,
    /// It reads a page of a list.
    pub(crate) is_page: bool,
    sqlite: Text,
    postgres: Text,
}

#[derive(Debug)]
struct Text {
    written: &'static str,
    /// By the logarithm of the number of rows.
    expanded: [OnceLock<Arc<str>>; SIZES],
}

impl Statement {
    pub(crate) const fn new(path: &'static str, sqlite: &'static str, postgres: &'static str) -> Self {
        Self { path, is_page: false, sqlite: Text::new(sqlite), postgres: Text::new(postgres) }
    }

    pub(crate) const fn of_a_page(mut self) -> Self {
        self.is_page = true;
        self
    }

    /// For a power of two of rows.
    pub(crate) fn text(&self, dialect: Dialect, rows: usize) -> SqlStr {
        let text = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        text.for_rows(rows)
    }
}

impl Text {
    const fn new(written: &'static str) -> Self {
        Self { written, expanded: [const { OnceLock::new() }; SIZES] }
    }

    fn for_rows(&self, rows: usize) -> SqlStr {
        if rows <= 1 {
            return self.written.into_sql_str();
        }
        let index = (rows.ilog2() as usize).min(SIZES - 1);
        let text = self.expanded[index].get_or_init(|| expand(self.written, rows).into());
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }
}

fn expand(written: &str, rows: usize) -> String {
    // Every other part stands between two marks.
    let written: String = written.split(ALONE).step_by(2).collect();
    let mut parts = written.split(MARK);
    let (Some(before), Some(each), Some(after)) = (parts.next(), parts.next(), parts.next()) else {
        return written;
    };
    let columns = each.matches('$').count();
    let mut text = String::with_capacity(written.len() + each.len() * rows * 2);
    text.push_str(before);
    for row in 0..rows {
        if row > 0 {
            text.push_str(", ");
        }
        count_on(each, row * columns, &mut text);
    }
    text.push_str(after);
    text
}

/// The row's text with its parameters counted on from `first`.
fn count_on(each: &str, first: usize, text: &mut String) {
    for (index, part) in each.split('$').enumerate() {
        if index == 0 {
            text.push_str(part);
            continue;
        }
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        // Writing to a string cannot fail.
        let _ = write!(text, "${}{rest}", first + index);
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn a_row_is_repeated_and_its_parameters_are_counted_on() {
        let insert = "INSERT INTO t (a, b)\nVALUES /*each*/($1, $2)/*each*/\nON CONFLICT DO NOTHING";
        let twice = "INSERT INTO t (a, b)\nVALUES ($1, $2), ($3, $4)\nON CONFLICT DO NOTHING";
        assert_eq!(expand(insert, 2), twice);
        let list = "SELECT 1 WHERE x IN (/*each*/$1/*each*/)";
        assert_eq!(expand(list, 4), "SELECT 1 WHERE x IN ($1, $2, $3, $4)");
    }

    #[test]
    fn what_is_for_one_row_alone_is_left_out_for_many() {
        let read = "SELECT 1 WHERE x IN (/*each*/$1/*each*/) /*alone*/AND y = $1/*alone*/ AND z";
        assert_eq!(expand(read, 2), "SELECT 1 WHERE x IN ($1, $2)  AND z");
    }

    #[test]
    fn more_than_nine_parameters_are_counted_on() {
        let row: Vec<_> = (1..=12).map(|n| format!("${n}")).collect();
        let text = format!("VALUES /*each*/({})/*each*/", row.join(", "));
        let expanded = expand(&text, 2);
        assert!(expanded.ends_with("$23, $24)"), "{expanded}");
    }
}
