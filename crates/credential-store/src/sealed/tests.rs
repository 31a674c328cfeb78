//! The keeper of the records is played by [`Shelf`], which does to them what a thief or a broken disk would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, ResellerId};
use secrecy::{ExposeSecret, SecretString};

use super::{PlacedRecord, SealedCredentialStore, SealedRecords, rekey};
use crate::{
    Cause, Change, CredentialStore, CredentialStoreError, KeyError, KeyKeeper, LocalKey, RekeyError,
    conformance,
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const SECRET: &str = "canary-8Q~planted.Secret_Value";

/// Reseller and version.
type Spot = (String, String);

#[derive(Default)]
struct Shelf(Mutex<BTreeMap<Spot, (Vec<u8>, Timestamp)>>);

fn place(reseller: &ResellerId, version: &CredentialVersion) -> Spot {
    (reseller.as_str().to_owned(), version.as_str().to_owned())
}

#[async_trait]
impl SealedRecords for Shelf {
    async fn put(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let replaced = self.0.lock().unwrap().insert(place(reseller, version), (sealed, now));
        assert!(replaced.is_none(), "a put touches no other version");
        Ok(())
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Option<Vec<u8>>, Cause> {
        Ok(self.0.lock().unwrap().get(&place(reseller, version)).map(|(sealed, _)| sealed.clone()))
    }

    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), Cause> {
        let kept = |(of, version): &Spot| {
            of != reseller.as_str() || keep.is_some_and(|keep| keep.as_str() == version)
        };
        self.0.lock().unwrap().retain(|place, (_, time)| kept(place) || *time >= put_before);
        Ok(())
    }

    async fn list(&self, after: Option<&PlacedRecord>) -> Result<Vec<PlacedRecord>, Cause> {
        let after = after.map(|record| place(&record.reseller, &record.version));
        let records = self.0.lock().unwrap();
        let later = records.iter().filter(|(place, _)| after.as_ref().is_none_or(|after| *place > after));
        let record = |((reseller, version), (sealed, _)): (&Spot, &(Vec<u8>, Timestamp))| PlacedRecord {
            reseller: ResellerId::parse(reseller).unwrap(),
            version: CredentialVersion::of_store(version.clone()),
            sealed: sealed.clone(),
        };
        Ok(later.take(2).map(record).collect())
    }

    async fn replace(&self, record: &PlacedRecord, sealed: Vec<u8>) -> Result<bool, Cause> {
        let mut records = self.0.lock().unwrap();
        let found = records.get_mut(&place(&record.reseller, &record.version));
        let Some((stored, _)) = found.filter(|(stored, _)| *stored == record.sealed) else {
            return Ok(false);
        };
        *stored = sealed;
        Ok(true)
    }
}

/// A keeper of the key, who may be killed before a later replacement.
struct Drawer {
    key: Mutex<LocalKey>,
    replacements_left: Mutex<u32>,
}

impl Drawer {
    fn of(key: u8) -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::new(LocalKey::of_bytes([key; 32])),
            replacements_left: Mutex::new(u32::MAX),
        })
    }
}

#[async_trait]
impl KeyKeeper for Drawer {
    async fn load(&self) -> Result<LocalKey, KeyError> {
        Ok(self.key.lock().unwrap().clone())
    }

    async fn replace(&self, key: &LocalKey) -> Result<(), KeyError> {
        let mut left = self.replacements_left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(KeyError::Changed)?;
        *self.key.lock().unwrap() = LocalKey::parse(&key.to_text()).unwrap();
        Ok(())
    }
}

/// A keeper that is away.
struct Away;

#[async_trait]
impl SealedRecords for Away {
    async fn put(
        &self,
        _: &ResellerId,
        _: &CredentialVersion,
        _: Vec<u8>,
        _: Timestamp,
    ) -> Result<(), Cause> {
        Err("the disk is gone".into())
    }

    async fn get(&self, _: &ResellerId, _: &CredentialVersion) -> Result<Option<Vec<u8>>, Cause> {
        Err("the disk is gone".into())
    }

    async fn prune(&self, _: &ResellerId, _: Option<&CredentialVersion>, _: Timestamp) -> Result<(), Cause> {
        Err("the disk is gone".into())
    }

    async fn list(&self, _: Option<&PlacedRecord>) -> Result<Vec<PlacedRecord>, Cause> {
        Err("the disk is gone".into())
    }

    async fn replace(&self, _: &PlacedRecord, _: Vec<u8>) -> Result<bool, Cause> {
        Err("the disk is gone".into())
    }
}

struct Given {
    shelf: Arc<Shelf>,
    drawer: Arc<Drawer>,
    store: SealedCredentialStore,
}

impl Given {
    fn a_store() -> Self {
        let shelf = Arc::new(Shelf::default());
        let drawer = Drawer::of(1);
        let store = store_with(&shelf, &drawer);
        Self { shelf, drawer, store }
    }

    async fn put(&self, reseller: &ResellerId) -> CredentialInfo {
        self.store.put(reseller, &secret(), &change()).await.unwrap()
    }

    fn record(&self, reseller: &ResellerId, version: &CredentialVersion) -> Vec<u8> {
        self.shelf.0.lock().unwrap()[&place(reseller, version)].0.clone()
    }

    fn lay(&self, reseller: &ResellerId, version: &CredentialVersion, record: Vec<u8>) {
        self.shelf.0.lock().unwrap().insert(place(reseller, version), (record, NOW));
    }

    async fn assert_damaged(&self, reseller: &ResellerId, version: &CredentialVersion, how: &str) {
        assert_damaged(&self.store, reseller, version, how).await;
    }
}

fn store_of(shelf: &Arc<Shelf>, key: u8) -> SealedCredentialStore {
    store_with(shelf, &Drawer::of(key))
}

fn store_with(shelf: &Arc<Shelf>, drawer: &Arc<Drawer>) -> SealedCredentialStore {
    let key = drawer.key.lock().unwrap().clone();
    SealedCredentialStore::new(Arc::clone(shelf) as Arc<dyn SealedRecords>, Arc::clone(drawer) as _, key)
}

fn change() -> Change {
    Change { id: uuid::Uuid::new_v4(), by: "a test".to_owned(), time: NOW, in_use: None }
}

fn secret() -> Credential {
    Credential::ClientSecret { value: SecretString::from(SECRET), expire_time: Some(NOW) }
}

fn reseller(slug: &str) -> ResellerId {
    ResellerId::parse(slug).unwrap()
}

async fn assert_damaged(
    store: &SealedCredentialStore,
    reseller: &ResellerId,
    version: &CredentialVersion,
    how: &str,
) {
    let found = store.get(reseller, version).await;
    let is_damaged = matches!(
        &found,
        Err(CredentialStoreError::Damaged { reseller: of, version: which }) if of == reseller && which == version
    );
    assert!(is_damaged, "{how}: {found:?}");
}

#[tokio::test]
async fn the_sealed_store_keeps_every_promise_of_a_store() {
    let given = Given::a_store();
    conformance::exercise(&given.store, &reseller("acme"), &reseller("beta")).await.unwrap();
    assert!(given.shelf.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_moved_record_is_damaged() {
    let given = Given::a_store();
    let (acme, beta) = (reseller("acme"), reseller("beta"));
    let (old, new) = (given.put(&acme).await.version, given.put(&acme).await.version);
    let record = given.record(&acme, &old);
    given.lay(&acme, &new, record.clone());
    given.assert_damaged(&acme, &new, "moved to another version").await;
    given.lay(&beta, &old, record);
    given.assert_damaged(&beta, &old, "moved to another reseller").await;
}

#[tokio::test]
async fn a_record_does_not_open_where_the_names_only_join_up_alike() {
    let given = Given::a_store();
    let (acme, version) = (reseller("acme"), CredentialVersion::of_store("a1"));
    let sealed = given.put(&acme).await.version;
    let record = given.record(&acme, &sealed);
    let shifted = CredentialVersion::of_store(format!("e{}", sealed.as_str()));
    given.lay(&reseller("acm"), &shifted, record.clone());
    given.assert_damaged(&reseller("acm"), &shifted, "a letter moved from reseller to version").await;
    given.lay(&acme, &version, record);
    given.assert_damaged(&acme, &version, "a made-up version").await;
}

#[tokio::test]
async fn a_record_with_any_bit_flipped_is_damaged() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let version = given.put(&acme).await.version;
    let record = given.record(&acme, &version);
    for bit in 0..record.len() * 8 {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        given.lay(&acme, &version, flipped);
        given.assert_damaged(&acme, &version, &format!("bit {bit}")).await;
    }
}

#[tokio::test]
async fn a_record_of_any_other_length_is_damaged() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let version = given.put(&acme).await.version;
    let record = given.record(&acme, &version);
    for length in 0..record.len() {
        given.lay(&acme, &version, record[..length].to_vec());
        given.assert_damaged(&acme, &version, &format!("cut to {length}")).await;
    }
    given.lay(&acme, &version, [record.as_slice(), &[0]].concat());
    given.assert_damaged(&acme, &version, "one byte longer").await;
}

#[tokio::test]
async fn another_key_opens_nothing_and_says_no_more_than_damage_does() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let version = given.put(&acme).await.version;
    assert_damaged(&store_of(&given.shelf, 2), &acme, &version, "another key").await;
    assert!(store_of(&given.shelf, 1).get(&acme, &version).await.is_ok(), "the same key after a restart");
}

#[tokio::test]
async fn the_same_secret_is_never_the_same_record() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let (one, other) = (given.put(&acme).await.version, given.put(&acme).await.version);
    let (one, other) = (given.record(&acme, &one), given.record(&acme, &other));
    assert_eq!(one[..9], other[..9], "format and key");
    assert_ne!(one[9..21], other[9..21], "nonce");
    assert!(one[9..].windows(16).all(|part| other.windows(16).all(|theirs| theirs != part)), "ciphertext");
}

#[tokio::test]
async fn the_secret_shows_nowhere_outside_the_envelope() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let info = given.put(&acme).await;
    let record = given.record(&acme, &info.version);
    let base64 = data_encoding::BASE64.encode(SECRET.as_bytes());
    for canary in [SECRET, base64.as_str()] {
        for part in canary.as_bytes().windows(8) {
            assert!(record.windows(8).all(|stored| stored != part), "in the record");
        }
    }
    given.lay(&acme, &info.version, vec![1]);
    let damaged = given.store.get(&acme, &info.version).await.unwrap_err();
    let away = SealedCredentialStore::new(Arc::new(Away), Drawer::of(1), LocalKey::of_bytes([1; 32]));
    let unavailable = away.put(&acme, &secret(), &change()).await.unwrap_err();
    let shown = format!(
        "{:?} {:?} {info:?} {damaged} {damaged:?} {unavailable} {unavailable:?}",
        given.store,
        secret()
    );
    assert!(!shown.contains(SECRET) && !shown.contains(&base64), "{shown}");
}

#[tokio::test]
async fn a_fingerprint_of_another_key_tells_nothing() {
    let given = Given::a_store();
    let ours = given.put(&reseller("acme")).await.fingerprint;
    let theirs =
        store_of(&given.shelf, 2).put(&reseller("acme"), &secret(), &change()).await.unwrap().fingerprint;
    assert_ne!(ours, theirs);
}

#[tokio::test]
async fn a_keeper_that_is_away_is_named_as_the_cause() {
    let store = SealedCredentialStore::new(Arc::new(Away), Drawer::of(1), LocalKey::of_bytes([1; 32]));
    let (acme, version) = (reseller("acme"), CredentialVersion::of_store("1"));
    let errors = [
        store.put(&acme, &secret(), &change()).await.map(|_| ()),
        store.get(&acme, &version).await.map(|_| ()),
        store.prune(&acme, None, NOW).await,
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the credential store cannot be reached");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is gone");
    }
}

/// Written once and never again: a release that cannot open it has broken every store there is.
#[tokio::test]
async fn a_record_of_the_first_release_still_opens() {
    let given = Given::a_store();
    let (acme, version) = (reseller("acme"), CredentialVersion::of_store("00000000000000000000000000000001"));
    let record = data_encoding::HEXLOWER.decode(FIRST_RELEASE.as_bytes()).unwrap();
    given.lay(&acme, &version, record);
    let found = given.store.get(&acme, &version).await.unwrap();
    let Credential::ClientSecret { value, expire_time } = found else { panic!("a client secret: {found:?}") };
    assert_eq!((value.expose_secret(), expire_time), (SECRET, Some(NOW)));
}

const FIRST_RELEASE: &str = "\
    01920060fa21a41b592ff509ed1e313a61bfcf1c76a1b8f4f151417012771ad2db917ebcd474eab1a31dcd7da418e9eb\
    94e1907ccfb5e99047fea0f21576cb44c363d2ed2365cf697bf812eb19ef6835b7522022e7b818bf8151a4f9e9995043\
    f2a30d3a46880209a3d9bc4638806dd1b2afc9bea2401a1ecd493c1e9f6344aeeb6ae19bba4ebf8a76c23785fca8b979\
    b84d2a56d7cb00b5a69f5458346c2937";

#[tokio::test]
async fn a_rekey_leaves_every_credential_and_no_record_of_the_old_key() {
    let given = Given::a_store();
    let names = ["a", "b", "c"].map(reseller);
    let mut versions = Vec::new();
    for name in &names {
        versions.push(given.put(name).await.version);
    }
    let first = (reseller("acme"), CredentialVersion::of_store("00000000000000000000000000000001"));
    given.lay(&first.0, &first.1, data_encoding::HEXLOWER.decode(FIRST_RELEASE.as_bytes()).unwrap());
    let old = LocalKey::of_bytes([1; 32]).sealing_keys()[0].0;

    let done = rekey(given.shelf.as_ref(), given.drawer.as_ref(), |_| ()).await.unwrap();

    assert_eq!((done.records, done.resumed), (4, false));
    for (name, version) in names.iter().zip(&versions).chain([(&first.0, &first.1)]) {
        assert_ne!(given.record(name, version)[1..9], old, "{name}");
        let Credential::ClientSecret { value, .. } = given.store.get(name, version).await.unwrap() else {
            panic!("another kind");
        };
        assert_eq!(value.expose_secret(), SECRET, "a store that runs on finds the new key by itself");
        let restarted = store_with(&given.shelf, &given.drawer).get(name, version).await;
        assert!(restarted.is_ok(), "and so does one that starts anew");
        assert_damaged(&store_of(&given.shelf, 1), name, version, "the old key opens nothing").await;
    }
    let put = given.put(&names[0]).await;
    assert_ne!(given.record(&names[0], &put.version)[1..9], old, "what comes after is sealed by the new key");
}

/// Killed before its first write, after it, after each record, and before its last.
#[tokio::test]
async fn a_rekey_killed_anywhere_goes_on_where_it_was() {
    for killed_at in 0..6 {
        let given = Given::a_store();
        let names = ["a", "b", "c"].map(reseller);
        let mut versions = Vec::new();
        for name in &names {
            versions.push(given.put(name).await.version);
        }
        if killed_at < 2 {
            *given.drawer.replacements_left.lock().unwrap() = killed_at;
            assert!(rekey(given.shelf.as_ref(), given.drawer.as_ref(), |_| ()).await.is_err());
        } else {
            let ended = tokio::spawn({
                let (shelf, drawer) = (Arc::clone(&given.shelf), Arc::clone(&given.drawer));
                async move {
                    let killed = |count| assert!(count < u64::from(killed_at - 1), "killed");
                    rekey(shelf.as_ref(), drawer.as_ref(), killed).await
                }
            });
            assert!(ended.await.is_err() || killed_at == 5);
        }
        for (name, version) in names.iter().zip(&versions) {
            assert!(given.store.get(name, version).await.is_ok(), "half-way, killed at {killed_at}");
        }
        *given.drawer.replacements_left.lock().unwrap() = u32::MAX;
        rekey(given.shelf.as_ref(), given.drawer.as_ref(), |_| ()).await.unwrap();
        let key = given.drawer.key.lock().unwrap().clone();
        assert_eq!(key.sealing_keys().len(), 1);
        for (name, version) in names.iter().zip(&versions) {
            assert_eq!(given.record(name, version)[1..9], key.sealing_keys()[0].0, "killed at {killed_at}");
            assert!(given.store.get(name, version).await.is_ok(), "through, killed at {killed_at}");
        }
    }
}

#[tokio::test]
async fn a_rekey_names_a_damaged_record_and_keeps_the_old_key() {
    let given = Given::a_store();
    let acme = reseller("acme");
    let (good, bad) = (given.put(&acme).await.version, given.put(&acme).await.version);
    let mut record = given.record(&acme, &bad);
    *record.last_mut().unwrap() ^= 1;
    given.lay(&acme, &bad, record);
    let refused = rekey(given.shelf.as_ref(), given.drawer.as_ref(), |_| ()).await.unwrap_err();
    assert!(matches!(&refused, RekeyError::Damaged { version, .. } if *version == bad), "{refused}");
    assert!(given.drawer.key.lock().unwrap().is_being_replaced());
    assert!(given.store.get(&acme, &good).await.is_ok());
}
