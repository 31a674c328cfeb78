//! Which rows the writes of a transaction look at.

use std::collections::{BTreeMap, BTreeSet};

use postrider_domain::{AttemptNumber, MessageId, RequestId, ResellerId};

use super::{AttemptKey, MessageKey, RequestKey, SealedKey, SourceKey};
use crate::KeyId;

#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Rows that are made where they are missing, before all are loaded.
    pub(crate) made: BTreeSet<ResellerId>,
    pub(crate) resellers: BTreeSet<ResellerId>,
    /// Whose lane is replaced, and so need not be readable.
    pub(crate) mended: BTreeSet<ResellerId>,
    pub(crate) messages: BTreeSet<MessageKey>,
    pub(crate) attempts: BTreeSet<AttemptKey>,
    pub(crate) request_keys: BTreeSet<RequestKey>,
    /// Attempts that nobody ended, with their messages.
    pub(crate) open: BTreeSet<ResellerId>,
    /// Calls begun within the last minute.
    pub(crate) recent: BTreeSet<ResellerId>,
    /// Recipients by the hour.
    pub(crate) hours: BTreeSet<ResellerId>,
    /// So many waiting messages whose time ran out.
    pub(crate) expiring: BTreeMap<ResellerId, u32>,
    /// So many waiting messages.
    pub(crate) waiting: BTreeMap<ResellerId, u32>,
    /// Waiting messages that have more recipients than a day may have.
    pub(crate) set_aside: BTreeSet<ResellerId>,
    /// Changes of credentials: all of a reseller's.
    pub(crate) changes: BTreeSet<ResellerId>,
    /// Which version of its credential the settings name.
    pub(crate) credentials: BTreeSet<ResellerId>,
    /// Federated sources: who has them.
    pub(crate) sources: BTreeSet<SourceKey>,
    pub(crate) sealed: BTreeSet<SealedKey>,
    pub(crate) access_keys: BTreeSet<KeyId>,
    /// Audit chains, made where they are missing.
    pub(crate) chains: BTreeSet<Option<ResellerId>>,
    pub(crate) meta: BTreeSet<&'static str>,
}

impl Needs {
    pub(crate) fn reseller(&mut self, reseller: &ResellerId) -> &mut Self {
        self.resellers.insert(reseller.clone());
        self
    }

    /// A reseller who may not be known yet.
    pub(crate) fn reseller_made(&mut self, reseller: &ResellerId) -> &mut Self {
        self.made.insert(reseller.clone());
        self.reseller(reseller)
    }

    pub(crate) fn message(&mut self, reseller: &ResellerId, id: MessageId) -> &mut Self {
        self.messages.insert((reseller.clone(), id));
        self
    }

    pub(crate) fn attempt(
        &mut self,
        reseller: &ResellerId,
        id: MessageId,
        number: AttemptNumber,
    ) -> &mut Self {
        self.attempts.insert((reseller.clone(), id, number.0));
        self
    }

    pub(crate) fn request_key(&mut self, reseller: &ResellerId, id: Option<&RequestId>) -> &mut Self {
        self.request_keys.extend(id.map(|id| (reseller.clone(), id.clone())));
        self
    }

    /// All that the holder of a lane is told.
    pub(crate) fn lease(&mut self, reseller: &ResellerId) -> &mut Self {
        self.open.insert(reseller.clone());
        self.recent.insert(reseller.clone());
        self.hours.insert(reseller.clone());
        self.reseller(reseller)
    }
}
