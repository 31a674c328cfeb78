//! What a process wrote to its disk, and what it told its callers meanwhile, in one order: `strace`'s log, read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Of the data directory; the shared memory beside them is made anew by whoever opens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum File {
    Database,
    Log,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Write {
        file: File,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: File,
        length: usize,
    },
    /// The call returned.
    Sync(File),
    Unlink(File),
    /// A message's id goes to its caller.
    Acknowledged(String),
}

/// What `strace` traces, and how it writes it.
pub(crate) const STRACE: [&str; 7] = [
    "-f",
    "-y",
    "-xx",
    "-s",
    "1000000",
    "-e",
    "trace=pwrite64,ftruncate,fdatasync,fsync,unlink,write,writev,sendto,sendmsg",
];

/// `known` are the ids that callers were given: nothing else that goes over a socket is an acknowledgement.
pub(crate) fn read(log: &Path, known: &BTreeSet<String>) -> Vec<Event> {
    let lines = BufReader::new(std::fs::File::open(log).expect("strace's log")).lines();
    let (mut syncing, mut told, mut events) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for line in lines.map(|line| line.expect("text")) {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if call.starts_with("<... f") && call.contains("sync resumed>") {
            events.extend(syncing.remove(process).map(Event::Sync));
            continue;
        }
        let Some((name, arguments)) = call.split_once('(') else { continue };
        match name {
            "fdatasync" | "fsync" => match file(arguments) {
                Some(file) if arguments.contains("<unfinished") => {
                    syncing.insert(process.to_owned(), file);
                }
                file => events.extend(file.map(Event::Sync)),
            },
            "pwrite64" => events.extend(file(arguments).map(|file| Event::Write {
                file,
                offset: number(arguments, 2),
                bytes: strings(arguments),
            })),
            "ftruncate" => events
                .extend(file(arguments).map(|file| Event::Truncate { file, length: number(arguments, 1) })),
            "unlink" => events.extend(named(&strings(arguments)).map(Event::Unlink)),
            _ => {
                let sent = strings(arguments);
                let new = ids(&sent).filter(|id| known.contains(id) && told.insert(id.clone()));
                events.extend(new.map(Event::Acknowledged).collect::<Vec<_>>());
            }
        }
    }
    events
}

/// Of the descriptor that comes first.
fn file(arguments: &str) -> Option<File> {
    let path = arguments.split_once('<')?.1.split_once('>')?.0;
    named(&decoded(path))
}

fn named(path: &[u8]) -> Option<File> {
    if path.ends_with(b"/postrider.db") {
        Some(File::Database)
    } else {
        path.ends_with(b"/postrider.db-wal").then_some(File::Log)
    }
}

/// The last argument but so many, counted after the data: `length, offset` of a write, `length` of a truncation.
fn number(arguments: &str, place: usize) -> usize {
    let after_data = arguments.rsplit_once('"').map_or_else(|| arguments.split_once('>'), Some);
    let rest = after_data.expect("arguments").1;
    let digits = rest.split(',').nth(place).expect("a number").trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().expect("a number")
}

/// All that stands between quotes.
fn strings(arguments: &str) -> Vec<u8> {
    arguments.split('"').skip(1).step_by(2).flat_map(decoded).collect()
}

/// `\x41` and what stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    text.split("\\x").skip(1).filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

/// What looks like an id of a message.
fn ids(sent: &[u8]) -> impl Iterator<Item = String> {
    sent.windows(36).filter(|text| text[8] == b'-' && text[13] == b'-').filter_map(|text| {
        let text = std::str::from_utf8(text).ok()?;
        uuid::Uuid::try_parse(text).is_ok().then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a20d07-1a36-71ed-8483-572f706905b9";

    #[test]
    fn a_log_of_several_threads_is_read_in_order() {
        let hex = |text: &str| text.bytes().fold(String::new(), |hex, byte| format!("{hex}\\x{byte:02x}"));
        let (db, wal) = (hex("/d/postrider.db"), hex("/d/postrider.db-wal"));
        let text = format!(
            "7 pwrite64(4<{wal}>, \"{}\", 2, 24) = 2\n7  fdatasync(4<{wal}> <unfinished ...>\n\
             8 writev(9<socket:[1]>, [{{iov_base=\"\\x00\", iov_len=1}}, {{iov_base=\"{}\", iov_len=36}}], 2) = 37\n\
             7 <... fdatasync resumed>) = 0\n7 ftruncate(3<{db}>, 4096) = 0\n7 fdatasync(3<{db}>) = 0\n\
             7 unlink(\"{wal}\") = 0\n7 fsync(5<{}>) = 0\n",
            hex("ab"),
            hex(ID),
            hex("/d")
        );
        let log = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(log.path(), text).expect("written");
        let expected = [
            Event::Write { file: File::Log, offset: 24, bytes: b"ab".to_vec() },
            Event::Acknowledged(ID.to_owned()),
            Event::Sync(File::Log),
            Event::Truncate { file: File::Database, length: 4096 },
            Event::Sync(File::Database),
            Event::Unlink(File::Log),
        ];
        assert_eq!(read(log.path(), &BTreeSet::from([ID.to_owned()])), expected);
    }
}
