//! The trait [`AuditStore`], and a handle whose changes are one caller's.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::Act;
use tokio::sync::{broadcast, watch};

use super::sealing::Seals;
use super::{Backend, PassedOver};
use crate::book::Retention;
use crate::reads::Reads;
use crate::verbs::{Audited, Note, Write};
use crate::{
    AuditFilter, AuditPage, AuditStore, Changed, ContentSealer, DynStore, Store, StoreError, StoreHealth,
};

#[async_trait]
impl<B: Backend> AuditStore for B {
    async fn note(&self, act: Act) -> Result<(), StoreError> {
        self.write(Audited { write: Note, act }).await
    }

    async fn audit_events(&self, filter: AuditFilter) -> Result<AuditPage, StoreError> {
        self.reads().audit_events(filter).await
    }
}

/// A store whose changes are told as the act of a caller.
pub(crate) struct Acting<B> {
    pub store: Arc<B>,
    pub act: Act,
}

impl<B: Backend> Backend for Acting<B> {
    type Reads = B::Reads;

    fn reads(&self) -> B::Reads {
        self.store.reads()
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.store.write(Audited { write, act: self.act.clone() }).await
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn retention(&self) -> Retention {
        self.store.retention()
    }

    fn messages_per_minute(&self) -> u32 {
        self.store.messages_per_minute()
    }

    fn passed_over(&self) -> &PassedOver {
        self.store.passed_over()
    }

    fn changed(&self) -> &broadcast::Sender<Changed> {
        self.store.changed()
    }

    fn seals(&self) -> Option<&Seals> {
        self.store.seals()
    }
}

#[async_trait]
impl<B: Backend + Store> Store for Acting<B> {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.store.health()
    }

    async fn close(&self) {
        self.store.close().await;
    }

    fn by(self: Arc<Self>, act: Act) -> DynStore {
        Arc::new(Acting { store: Arc::clone(&self.store), act })
    }

    fn sealed_by(self: Arc<Self>, sealer: Arc<dyn ContentSealer>) -> DynStore {
        Arc::clone(&self.store).sealed_by(sealer).by(self.act.clone())
    }
}
