//! A disk that loses power: what was synced is there, and of each write since then any of its sectors.
//!
//! Files that were made are there, and so is their removal: a directory's own order is the file system's affair.

use crate::journal::{Event, File};

const SECTOR: usize = 512;

/// One file: what is surely there, and what was done to it since.
#[derive(Debug, Clone, Default)]
struct Kept {
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// The two files of a database.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    database: Kept,
    log: Kept,
    /// As if every sync of the log were left out but those before a checkpoint, which is what `synchronous = NORMAL` does.
    pub(crate) is_careless: bool,
}

/// What is found when the power is back.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) database: Vec<u8>,
    pub(crate) log: Vec<u8>,
}

impl Disk {
    pub(crate) fn of(database: Vec<u8>, log: Vec<u8>, is_careless: bool) -> Self {
        let kept = |synced| Kept { synced, since: Vec::new() };
        Self { database: kept(database), log: kept(log), is_careless }
    }

    pub(crate) fn applies(&mut self, event: &Event) {
        match event {
            Event::Write { file, offset, bytes } => {
                if *file == File::Database && self.database.since.is_empty() {
                    // A checkpoint begins: even a careless one has synced the log before.
                    self.log.sync();
                }
                let write = Change::Write { offset: *offset, bytes: bytes.clone() };
                self.of_file(*file).since.push(write);
            }
            Event::Truncate { file, length } => self.of_file(*file).since.push(Change::Truncate(*length)),
            Event::Sync(File::Log) if self.is_careless => {}
            Event::Sync(file) => self.of_file(*file).sync(),
            Event::Unlink(file) => *self.of_file(*file) = Kept::default(),
            Event::Acknowledged(_) => {}
        }
    }

    fn of_file(&mut self, file: File) -> &mut Kept {
        match file {
            File::Database => &mut self.database,
            File::Log => &mut self.log,
        }
    }

    /// The power goes now.
    pub(crate) fn image(&self, chance: &mut fastrand::Rng) -> Image {
        Image { database: self.database.torn(chance), log: self.log.torn(chance) }
    }
}

impl Kept {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.since) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Change::Truncate(length) => self.synced.truncate(length),
            }
        }
    }

    fn torn(&self, chance: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.since {
            match change {
                Change::Write { offset, bytes: written } => {
                    let mut at = *offset;
                    let mut rest = written.as_slice();
                    while !rest.is_empty() {
                        let (sector, after) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
                        if chance.bool() {
                            put(&mut bytes, at, sector);
                        }
                        (at, rest) = (at + sector.len(), after);
                    }
                }
                Change::Truncate(length) if chance.bool() => bytes.truncate(*length),
                Change::Truncate(_) => {}
            }
        }
        bytes
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(byte: u8) -> Event {
        Event::Write { file: File::Log, offset: 0, bytes: vec![byte; 2 * SECTOR] }
    }

    #[test]
    fn what_was_synced_is_there_and_what_came_after_in_parts() {
        let mut disk = Disk::of(Vec::new(), Vec::new(), false);
        for event in [written(1), Event::Sync(File::Log), written(2)] {
            disk.applies(&event);
        }
        let mut chance = fastrand::Rng::with_seed(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let log = disk.image(&mut chance).log;
            assert_eq!(log.len(), 2 * SECTOR);
            seen.insert((log[0], log[SECTOR]));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(1, 1), (1, 2), (2, 1), (2, 2)]);
    }

    #[test]
    fn a_careless_disk_loses_what_another_keeps() {
        let mut disk = Disk::of(Vec::new(), Vec::new(), true);
        disk.applies(&written(1));
        disk.applies(&Event::Sync(File::Log));
        let mut chance = fastrand::Rng::with_seed(1);
        assert!((0..100).any(|_| disk.image(&mut chance).log.is_empty()));
    }
}
