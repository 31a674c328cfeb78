//! The disk alone.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::table::Table;

const BLOCK: usize = 4_096;

/// Milliseconds of each of so many appended blocks that are synced.
pub(crate) fn append(folder: &Path, count: usize) -> Vec<f64> {
    let mut file = File::create(folder.join("append")).expect("a file");
    let block = [7; BLOCK];
    let mut one = || {
        file.write_all(&block).and_then(|()| file.sync_data()).expect("written");
    };
    timed(count, &mut one)
}

/// Milliseconds of each of so many transactions of one row.
pub(crate) async fn commit(database: &str, size: usize, count: usize) -> Vec<f64> {
    let mut table = Table::open(database).await;
    let content = vec![7; size];
    let mut taken = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        table.insert(std::slice::from_ref(&content)).await;
        taken.push(milliseconds(begun.elapsed()));
    }
    taken
}

fn timed(count: usize, one: &mut dyn FnMut()) -> Vec<f64> {
    let time = |_| {
        let begun = Instant::now();
        one();
        milliseconds(begun.elapsed())
    };
    (0..count).map(time).collect()
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
