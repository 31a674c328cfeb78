//! Drafts with their files, and the upload sessions under way. What is lost for lack of room is the oldest draft.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::StatusCode;
use data_encoding::{BASE64_MIME, BASE64URL_NOPAD};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::answer::Refusal;
use crate::directory::Known;
use crate::limits;
use crate::message::Mail;
use crate::raw;

/// Characters of a line (RFC 5322 §2.1.1).
const LINE_CHARS_MAX: usize = 998;

#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) mail: Mail,
    pub(crate) files: Vec<File>,
}

/// What is known of a file before its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) content_id: Option<String>,
    pub(crate) is_inline: bool,
    pub(crate) size: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) item: Item,
    pub(crate) bytes: Bytes,
}

/// An upload session as its client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) token: String,
    /// The directory's name.
    pub(crate) tenant: String,
    pub(crate) mailbox: String,
    pub(crate) draft: String,
    pub(crate) received: usize,
    pub(crate) until: Timestamp,
}

/// `bytes 0-99/1000`: the first, the last, and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    from: usize,
    last: usize,
    total: usize,
}

pub(crate) struct Piece {
    pub(crate) range: Range,
    pub(crate) bytes: Bytes,
}

/// What a piece led to.
pub(crate) enum Grown {
    More(Upload),
    Whole { file_id: String },
}

#[derive(Debug)]
struct Open {
    upload: Upload,
    item: Item,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    draft: Draft,
    open: Vec<Open>,
}

#[derive(Debug, Default)]
pub(crate) struct Drafts {
    all: Mutex<VecDeque<Kept>>,
}

impl Drafts {
    pub(crate) fn create(&self, mail: Mail) -> Draft {
        let draft = Draft { id: new_id(), mail, files: Vec::new() };
        let mut all = self.lock();
        all.push_back(Kept { draft: draft.clone(), open: Vec::new() });
        make_room(&mut all);
        draft
    }

    pub(crate) fn get(&self, mailbox: &str, id: &str) -> Result<Draft, Refusal> {
        self.with(mailbox, id, |kept| Ok(kept.draft.clone()))
    }

    /// Newest first.
    pub(crate) fn of(&self, mailbox: &str) -> Vec<Draft> {
        let all = self.lock();
        let own = all.iter().rev().filter(|kept| is_same(&kept.draft.mail.mailbox, mailbox));
        own.map(|kept| kept.draft.clone()).collect()
    }

    pub(crate) fn attach(&self, mailbox: &str, id: &str, file: File) -> Result<(), Refusal> {
        self.with(mailbox, id, |kept| {
            if kept.draft.files.len() + kept.open.len() >= limits::FILES_MAX {
                let message = "The maximum number of attachments was exceeded.";
                return Err(Refusal::bad_request("ErrorInvalidRequest", message));
            }
            kept.draft.files.push(file);
            Ok(())
        })?;
        make_room(&mut self.lock());
        Ok(())
    }

    pub(crate) fn delete(&self, mailbox: &str, id: &str) -> Result<(), Refusal> {
        let mut all = self.lock();
        let before = all.len();
        all.retain(|kept| kept.draft.id != id || !is_same(&kept.draft.mail.mailbox, mailbox));
        if all.len() < before { Ok(()) } else { Err(not_found()) }
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn begin_upload(
        &self,
        known: &Known,
        (mailbox, id): (&str, &str),
        item: Item,
        now: Timestamp,
    ) -> Result<Upload, Refusal> {
        let life = SignedDuration::from_secs(limits::UPLOAD_LIFE_SECONDS);
        let upload = Upload {
            token: Uuid::new_v4().simple().to_string(),
            tenant: known.name().to_owned(),
            mailbox: mailbox.to_owned(),
            draft: id.to_owned(),
            received: 0,
            until: now.checked_add(life).unwrap_or(now),
        };
        let open = Open { upload: upload.clone(), item, bytes: Vec::new() };
        self.with(mailbox, id, |kept| {
            if kept.draft.files.len() + kept.open.len() >= limits::FILES_MAX {
                let message = "The maximum number of attachments was exceeded.";
                return Err(Refusal::bad_request("ErrorInvalidRequest", message));
            }
            kept.open.push(open);
            Ok(upload)
        })
    }

    pub(crate) fn upload(&self, token: &str, now: Timestamp) -> Result<Upload, Refusal> {
        let all = self.lock();
        let open = all.iter().flat_map(|kept| &kept.open).find(|open| open.upload.token == token);
        open.map(|open| open.upload.clone()).filter(|upload| now < upload.until).ok_or_else(not_found)
    }

    pub(crate) fn end_upload(&self, token: &str) {
        for kept in self.lock().iter_mut() {
            kept.open.retain(|open| open.upload.token != token);
        }
    }

    /// Takes the next piece. With the last the file is the draft's, and the session is over.
    pub(crate) fn add_piece(&self, token: &str, piece: &Piece) -> Result<Grown, Refusal> {
        let mut all = self.lock();
        let found = all.iter_mut().find_map(|kept| {
            let index = kept.open.iter().position(|open| open.upload.token == token)?;
            Some((kept, index))
        });
        let (kept, index) = found.ok_or_else(not_found)?;
        let open = kept.open.get_mut(index).ok_or_else(not_found)?;
        open.take(piece)?;
        if open.bytes.len() < open.item.size {
            let upload = open.upload.clone();
            make_room(&mut all);
            return Ok(Grown::More(upload));
        }
        let Open { item, bytes, .. } = kept.open.swap_remove(index);
        let file = File { id: new_id(), item, bytes: bytes.into() };
        let file_id = file.id.clone();
        kept.draft.files.push(file);
        Ok(Grown::Whole { file_id })
    }

    fn with<T>(
        &self,
        mailbox: &str,
        id: &str,
        act: impl FnOnce(&mut Kept) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut all = self.lock();
        let found =
            all.iter_mut().find(|kept| kept.draft.id == id && is_same(&kept.draft.mail.mailbox, mailbox));
        act(found.ok_or_else(not_found)?)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn take(&mut self, piece: &Piece) -> Result<(), Refusal> {
        let Range { from, last, total } = piece.range;
        let is_whole = last.checked_sub(from).is_some_and(|span| span + 1 == piece.bytes.len());
        if !is_whole || total != self.item.size || last >= total {
            let message = "Content-Range does not fit the piece, or the size that was announced.";
            return Err(Refusal::bad_request("ErrorInvalidRequest", message));
        }
        if from != self.bytes.len() {
            let message = "The range is not the one that is expected next.";
            return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "ErrorInvalidRange", message));
        }
        self.bytes.extend_from_slice(&piece.bytes);
        self.upload.received = self.bytes.len();
        Ok(())
    }
}

impl Piece {
    pub(crate) fn read_range(text: &str) -> Option<Range> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (from, last) = range.split_once('-')?;
        Some(Range { from: from.parse().ok()?, last: last.parse().ok()?, total: total.parse().ok()? })
    }
}

impl Draft {
    /// The mail that it is when it is sent: its own content, and its files behind it.
    pub(crate) fn assembled(&self, now: Timestamp) -> Mail {
        let size = self.files.iter().map(|file| file.bytes.len()).fold(self.mail.size, usize::saturating_add);
        let raw = if self.files.is_empty() { self.mail.raw.clone() } else { self.with_files().into() };
        Mail { raw, size, time: now, ..self.mail.clone() }
    }

    fn with_files(&self) -> Vec<u8> {
        let (fields, body) = raw::split(&self.mail.raw);
        let boundary = format!("=_{}", Uuid::new_v4().simple());
        let (of_content, of_mail): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|field| field.name.starts_with("content-"));
        let of_mail = of_mail.iter().filter(|field| field.name != "mime-version").map(|field| field.lines);
        let own = format!("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
        let mut whole = format!("--{boundary}\r\n").into_bytes();
        whole.extend(raw::join(of_content.iter().map(|field| field.lines), body));
        for file in &self.files {
            whole.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            whole.extend(file.as_part());
        }
        whole.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        raw::join(of_mail.chain([own.as_bytes()]), &whole)
    }
}

impl File {
    pub(crate) fn new(item: Item, bytes: Bytes) -> File {
        File { id: new_id(), item, bytes }
    }

    fn as_part(&self) -> Vec<u8> {
        let Item { name, content_id, is_inline, .. } = &self.item;
        let disposition = if *is_inline { "inline" } else { "attachment" };
        let (content_type, encoding) = self.form();
        let mut head = format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n");
        if let Some(id) = content_id {
            let _ = write!(head, "Content-ID: <{}>\r\n", id.trim_matches(['<', '>']));
        }
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let _ = write!(head, "Content-Disposition: {disposition}; filename*=UTF-8''{name}\r\n\r\n");
        let mut part = head.into_bytes();
        if encoding == "7bit" {
            part.extend_from_slice(&self.bytes);
        } else {
            part.extend_from_slice(BASE64_MIME.encode(&self.bytes).trim_end().as_bytes());
        }
        part
    }

    /// RFC 2046 §5.2.1: a mail within the mail is not in base64. It goes as it is where its lines allow that, and otherwise
    /// as plain bytes, like what only calls itself a layer.
    pub(crate) fn form(&self) -> (&str, &'static str) {
        let content_type = self.item.content_type.as_str();
        match content_type.to_ascii_lowercase().split_once('/') {
            Some(("message", "rfc822")) if self.has_seven_bit_lines() => (content_type, "7bit"),
            Some(("message" | "multipart", _)) => ("application/octet-stream", "base64"),
            _ => (content_type, "base64"),
        }
    }

    fn has_seven_bit_lines(&self) -> bool {
        std::str::from_utf8(&self.bytes).is_ok_and(|text| {
            let is_line = |line: &str| line.len() <= LINE_CHARS_MAX && !line.contains(['\r', '\n', '\0']);
            text.is_ascii() && !text.is_empty() && text.split("\r\n").all(is_line)
        })
    }
}

/// A draft that is not, or not any more.
fn not_found() -> Refusal {
    let message = "The specified object was not found in the store.";
    Refusal::new(StatusCode::NOT_FOUND, "ErrorItemNotFound", message)
}

fn make_room(all: &mut VecDeque<Kept>) {
    let bytes = |kept: &Kept| {
        let files = kept.draft.files.iter().map(|file| file.bytes.len());
        let open = kept.open.iter().map(|open| open.bytes.len());
        files.chain(open).fold(kept.draft.mail.raw.len(), usize::saturating_add)
    };
    while all.len() > 1
        && (all.len() > limits::DRAFTS_MAX
            || all.iter().map(bytes).fold(0, usize::saturating_add) > limits::DRAFT_BYTES_MAX)
    {
        all.pop_front();
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// An id such as Exchange's: long, and its case matters.
fn new_id() -> String {
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    format!("AAMkAG{}", BASE64URL_NOPAD.encode(&[a.into_bytes(), b.into_bytes()].concat()))
}
