//! Messages are sealed on their way in, and opened on their way out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{Act, Content, Message, MessageId, ResellerId};
use tokio::sync::{broadcast, watch};

use super::{Acting, Backend, PassedOver};
use crate::book::Retention;
use crate::content::{ContentPart, ContentPlace, ContentSealer, Unopened, WrappedKey};
use crate::reads::Reads;
use crate::verbs::{MakeDataKey, Write};
use crate::{Changed, DynStore, NewMessage, Store, StoreError, StoreHealth};

/// What no serialized email begins with: its fields count from 1.
const BODY_MARK: u8 = 0;
/// What no subject has: a control character.
const SUBJECT_MARK: char = '\u{1}';
/// Data keys remembered. Those of more resellers are read again.
const KNOWN_MAX: usize = 10_000;

/// What seals, and the data keys it last sealed by. One that was taken away meanwhile is noticed by the transaction that accepts.
pub(crate) struct Seals {
    sealer: Arc<dyn ContentSealer>,
    known: Mutex<BTreeMap<ResellerId, WrappedKey>>,
}

impl Seals {
    fn known(&self) -> MutexGuard<'_, BTreeMap<ResellerId, WrappedKey>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready to be written, and by which key it is sealed. As it is, where nothing seals.
pub(super) async fn sealed(
    backend: &impl Backend,
    new: &NewMessage,
) -> Result<(NewMessage, Option<WrappedKey>), StoreError> {
    let Some(seals) = backend.seals() else { return Ok((new.clone(), None)) };
    let key = data_key(backend, seals, &new.reseller).await?;
    let at = |part| ContentPlace { reseller: &new.reseller, message: new.id, part };
    let body =
        seals.sealer.seal(&key, at(ContentPart::Body), &new.content).await.map_err(|error| away(&error))?;
    let subject = seals.sealer.seal(&key, at(ContentPart::Subject), new.subject.as_bytes()).await;
    let sealed = NewMessage {
        content: [&[BODY_MARK], body.as_slice()].concat(),
        subject: format!("{SUBJECT_MARK}{}", BASE64.encode(&subject.map_err(|error| away(&error))?)),
        reseller: new.reseller.clone(),
        request_id: new.request_id.clone(),
        internet_message_id: new.internet_message_id.clone(),
        labels: new.labels.clone(),
        ..*new
    };
    Ok((sealed, Some(key)))
}

/// The key was replaced: the next message asks for it anew.
pub(super) fn forget(backend: &impl Backend, reseller: &ResellerId) {
    if let Some(seals) = backend.seals() {
        seals.known().remove(reseller);
    }
}

async fn data_key(
    backend: &impl Backend,
    seals: &Seals,
    reseller: &ResellerId,
) -> Result<WrappedKey, StoreError> {
    if let Some(known) = seals.known().get(reseller) {
        return Ok(known.clone());
    }
    let key = if let Some(key) = backend.reads().data_key(reseller).await? {
        key
    } else {
        let fresh = seals.sealer.fresh_key(reseller).await.map_err(|error| away(&error))?;
        backend.write(MakeDataKey { reseller: reseller.clone(), fresh }).await?
    };
    let mut known = seals.known();
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(reseller.clone(), key.clone());
    Ok(key)
}

/// With their subjects as they were accepted. What a key sealed that was taken away stays closed: its subject is empty.
pub(super) async fn opened<'m>(
    backend: &impl Backend,
    messages: impl Iterator<Item = &'m mut Message> + Send,
) -> Result<(), StoreError> {
    let Some(seals) = backend.seals() else { return Ok(()) };
    // As they are now, and not as they were known: a deletion holds at once.
    let mut keys: BTreeMap<ResellerId, Option<WrappedKey>> = BTreeMap::new();
    for message in messages {
        let Some(sealed) = message.subject.strip_prefix(SUBJECT_MARK) else { continue };
        let sealed = BASE64.decode(sealed.as_bytes()).unwrap_or_default();
        if !keys.contains_key(&message.reseller) {
            let key = backend.reads().data_key(&message.reseller).await?;
            keys.insert(message.reseller.clone(), key);
        }
        let at =
            ContentPlace { reseller: &message.reseller, message: message.id, part: ContentPart::Subject };
        let subject = match keys.get(&message.reseller) {
            Some(Some(key)) => open(seals, key, at, &sealed).await?,
            _ => None,
        };
        message.subject = subject.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    }
    Ok(())
}

/// With its body as it was accepted. One that does not open is given as it lies, which is no email.
pub(super) async fn opened_content(
    backend: &impl Backend,
    reseller: &ResellerId,
    message: MessageId,
    content: Content,
) -> Result<Content, StoreError> {
    let (Some(seals), Some((&BODY_MARK, sealed))) = (backend.seals(), content.body.split_first()) else {
        return Ok(content);
    };
    let Some(key) = backend.reads().data_key(reseller).await? else { return Ok(content) };
    let at = ContentPlace { reseller, message, part: ContentPart::Body };
    let Some(body) = open(seals, &key, at, sealed).await? else {
        tracing::error!(event = "content_does_not_open", %reseller, message_id = %message, "the content of a message does not open: it was changed");
        return Ok(content);
    };
    Ok(Content { body: body.into(), ..content })
}

async fn open(
    seals: &Seals,
    key: &WrappedKey,
    at: ContentPlace<'_>,
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    match seals.sealer.open(key, at, sealed).await {
        Ok(plain) => Ok(Some(plain)),
        Err(Unopened::Closed) => Ok(None),
        Err(unavailable) => Err(away(&unavailable)),
    }
}

fn away(error: &Unopened) -> StoreError {
    StoreError::Unavailable { cause: error.to_string() }
}

/// A store in which content and subjects lie sealed.
pub(crate) struct Sealing<B> {
    store: Arc<B>,
    seals: Seals,
}

impl<B> Sealing<B> {
    pub(crate) fn new(store: Arc<B>, sealer: Arc<dyn ContentSealer>) -> Self {
        Self { store, seals: Seals { sealer, known: Mutex::default() } }
    }
}

impl<B: Backend> Backend for Sealing<B> {
    type Reads = B::Reads;

    fn reads(&self) -> B::Reads {
        self.store.reads()
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.store.write(write).await
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
        Some(&self.seals)
    }
}

#[async_trait]
impl<B: Backend + Store> Store for Sealing<B> {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.store.health()
    }

    async fn close(&self) {
        self.store.close().await;
    }

    fn by(self: Arc<Self>, act: Act) -> DynStore {
        Arc::new(Acting { store: self, act })
    }

    fn sealed_by(self: Arc<Self>, sealer: Arc<dyn ContentSealer>) -> DynStore {
        Arc::new(Sealing::new(Arc::clone(&self.store), sealer))
    }
}
