//! The mail that was accepted, kept for assertions and for the inbox page; the oldest goes when room runs out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::delivery::Delivery;
use crate::limits;

/// One accepted mail.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// The address of the path: who sent it, whatever its From says.
    pub(crate) mailbox: String,
    /// With its `< >`.
    pub(crate) internet_message_id: String,
    pub(crate) subject: String,
    /// Addresses of to, cc and bcc.
    pub(crate) recipients: Vec<String>,
    /// A `from` that needs a right: only JSON can claim one, for Exchange overwrites that of MIME.
    pub(crate) claimed_from: Option<String>,
    /// RFC 5322.
    pub(crate) raw: Bytes,
    /// What Exchange counts as its size: files as they are, not as base64.
    pub(crate) size: usize,
    /// Whether a copy is kept in Sent Items.
    pub(crate) is_saved: bool,
    pub(crate) time: Timestamp,
    pub(crate) delivery: Delivery,
}

/// A mail in the store, by its number.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) copies: usize,
    pub(crate) mail: Arc<Mail>,
}

#[derive(Debug, Default)]
struct Store {
    mails: VecDeque<(u64, Arc<Mail>)>,
    copies: HashMap<String, usize>,
    bytes: usize,
    last_number: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Mails {
    store: Mutex<Store>,
}

impl Mails {
    pub(crate) fn store(&self, mail: Mail) {
        let mut store = self.lock();
        store.bytes = store.bytes.saturating_add(mail.raw.len());
        let copies = store.copies.entry(mail.internet_message_id.clone()).or_default();
        *copies = copies.saturating_add(1);
        store.last_number = store.last_number.saturating_add(1);
        let number = store.last_number;
        store.mails.push_back((number, Arc::new(mail)));
        while store.mails.len() > limits::STORED_MAILS_MAX || store.bytes > limits::STORED_BYTES_MAX {
            store.drop_oldest();
        }
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<Stored> {
        let store = self.lock();
        store.mails.iter().map(|(number, mail)| store.show(*number, mail)).collect()
    }

    /// Those of one mailbox, oldest first.
    pub(crate) fn of(&self, mailbox: &str) -> Vec<Stored> {
        let mailbox = mailbox.to_lowercase();
        let store = self.lock();
        let own = store.mails.iter().filter(|(_, mail)| mail.mailbox.to_lowercase() == mailbox);
        own.map(|(number, mail)| store.show(*number, mail)).collect()
    }

    /// Newest first, and how many there are in all.
    pub(crate) fn newest(&self, count: usize) -> (Vec<Stored>, usize) {
        let store = self.lock();
        let newest = store.mails.iter().rev().take(count);
        (newest.map(|(number, mail)| store.show(*number, mail)).collect(), store.mails.len())
    }

    pub(crate) fn get(&self, number: u64) -> Option<Stored> {
        let store = self.lock();
        let index = store.mails.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        store.mails.get(index).map(|(number, mail)| store.show(*number, mail))
    }

    pub(crate) fn clear(&self) {
        let mut store = self.lock();
        let last_number = store.last_number;
        *store = Store { last_number, ..Store::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn show(&self, number: u64, mail: &Arc<Mail>) -> Stored {
        let copies = self.copies.get(&mail.internet_message_id).copied().unwrap_or(1);
        Stored { number, copies, mail: Arc::clone(mail) }
    }

    fn drop_oldest(&mut self) {
        let Some((_, mail)) = self.mails.pop_front() else { return };
        self.bytes = self.bytes.saturating_sub(mail.raw.len());
        if let Some(copies) = self.copies.get_mut(&mail.internet_message_id) {
            *copies = copies.saturating_sub(1);
            if *copies == 0 {
                self.copies.remove(&mail.internet_message_id);
            }
        }
    }
}

/// A Message-ID such as Exchange gives a mail that has none.
pub(crate) fn new_message_id() -> String {
    format!("<{}@sandbox.prod.outlook.example>", Uuid::new_v4().simple())
}
