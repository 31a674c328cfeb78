//! What every credential store promises, as one suite.
//!
//! Give [`exercise`] an empty store and two resellers of your choice. It leaves nothing behind.

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    Certificate, Credential, CredentialInfo, CredentialKind, CredentialVersion, ResellerId, SourceName,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::{Change, CredentialStore, CredentialStoreError};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// All promises, one after another. An error of the store's is a promise broken, too.
pub async fn exercise(
    store: &dyn CredentialStore,
    one: &ResellerId,
    other: &ResellerId,
) -> Result<(), CredentialStoreError> {
    a_client_secret_comes_back_whole(store, one).await?;
    a_certificate_comes_back_whole(store, one).await?;
    a_federated_source_comes_back_by_its_name(store, one, other).await?;
    versions_stand_beside_each_other(store, one).await?;
    a_version_is_never_given_twice(store, one).await?;
    a_fingerprint_tells_secrets_apart(store, one).await?;
    what_was_never_put_is_missing(store, one).await?;
    no_reseller_reaches_anothers_version(store, one, other).await?;
    prune_keeps_the_version_in_use_alone(store, one, other).await?;
    prune_leaves_what_was_put_since(store, one).await?;
    prune_of_all_leaves_nothing(store, one, other).await
}

async fn a_client_secret_comes_back_whole(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let expire_time = NOW.checked_add(SignedDuration::from_hours(24)).ok();
    let values = ["abc8Q~secret.Value", "with \"quotes\", \\ and\nlines", "é – 鍵", " ", &"x".repeat(10_000)];
    for (value, expire_time) in values.into_iter().flat_map(|value| [(value, None), (value, expire_time)]) {
        let put = store.put(reseller, &client_secret(value, expire_time), &change()).await?;
        assert_eq!(put.kind, CredentialKind::ClientSecret);
        assert_eq!(put.expire_time, expire_time);
        let found = store.get(reseller, &put.version).await?;
        let is_the_same = matches!(
            &found,
            Credential::ClientSecret { value: found, expire_time: end }
                if found.expose_secret() == value && *end == expire_time
        );
        assert!(is_the_same, "{found:?}");
    }
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn a_certificate_comes_back_whole(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let certificate = |chain: &[&[u8]], send_chain| Certificate {
        chain: chain.iter().map(|der| der.to_vec()).collect(),
        key: SecretSlice::from((0..=255).collect::<Vec<u8>>()),
        expire_time: NOW,
        send_chain,
    };
    let mut fingerprints = Vec::new();
    for (chain, send_chain) in
        [(&[&[1_u8, 2, 3][..]][..], false), (&[&[1, 2], &[3]], false), (&[&[1, 2], &[3]], true)]
    {
        let put =
            store.put(reseller, &Credential::Certificate(certificate(chain, send_chain)), &change()).await?;
        assert_eq!((put.kind, put.expire_time), (CredentialKind::Certificate, Some(NOW)));
        let (found, wanted) = (store.get(reseller, &put.version).await?, certificate(chain, send_chain));
        let is_the_same = matches!(
            &found,
            Credential::Certificate(found) if found.chain == wanted.chain && found.send_chain == send_chain
                && found.expire_time == NOW && found.key.expose_secret() == wanted.key.expose_secret()
        );
        assert!(is_the_same, "{found:?}");
        assert!(!fingerprints.contains(&put.fingerprint), "each is told from the others");
        fingerprints.push(put.fingerprint);
    }
    store.prune(reseller, None, Timestamp::MAX).await
}

/// Two resellers with one source have one fingerprint: that is how the second is noticed.
async fn a_federated_source_comes_back_by_its_name(
    store: &dyn CredentialStore,
    one: &ResellerId,
    other: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let source = SourceName::parse("k8s")
        .map_err(|error| CredentialStoreError::Unavailable { cause: error.into() })?;
    let credential = Credential::Federated { source: source.clone() };
    let put = store.put(one, &credential, &change()).await?;
    assert_eq!((put.kind, put.expire_time), (CredentialKind::Federated, None));
    let found = store.get(one, &put.version).await?;
    assert!(matches!(&found, Credential::Federated { source: found } if *found == source), "{found:?}");
    assert_eq!(store.put(other, &credential, &change()).await?.fingerprint, put.fingerprint);
    store.prune(one, None, Timestamp::MAX).await?;
    store.prune(other, None, Timestamp::MAX).await
}

async fn versions_stand_beside_each_other(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let old = put(store, reseller, "old").await?;
    let new = put(store, reseller, "new").await?;
    assert_holds(store, reseller, &old.version, "old").await?;
    assert_holds(store, reseller, &new.version, "new").await?;
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn a_version_is_never_given_twice(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let first = put(store, reseller, "same").await?;
    store.prune(reseller, None, Timestamp::MAX).await?;
    let second = put(store, reseller, "same").await?;
    assert_ne!(first.version, second.version);
    assert_missing(store, reseller, &first.version).await;
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn a_fingerprint_tells_secrets_apart(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let first = put(store, reseller, "same").await?;
    let again = put(store, reseller, "same").await?;
    let other = put(store, reseller, "other").await?;
    assert_eq!(first.fingerprint, again.fingerprint);
    assert_ne!(first.fingerprint, other.fingerprint);
    let text = first.fingerprint.as_str();
    assert!(text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()), "{text}: 16 hexadecimal digits");
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn what_was_never_put_is_missing(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    assert_missing(store, reseller, &CredentialVersion::of_store("0")).await;
    put(store, reseller, "there").await?;
    assert_missing(store, reseller, &CredentialVersion::of_store("0")).await;
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn no_reseller_reaches_anothers_version(
    store: &dyn CredentialStore,
    one: &ResellerId,
    other: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let ours = put(store, one, "ours").await?;
    assert_missing(store, other, &ours.version).await;
    store.prune(one, None, Timestamp::MAX).await
}

async fn prune_keeps_the_version_in_use_alone(
    store: &dyn CredentialStore,
    one: &ResellerId,
    other: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let replaced = put(store, one, "replaced").await?;
    let used = put(store, one, "used").await?;
    let orphan = put(store, one, "orphan").await?;
    let neighbour = put(store, other, "neighbour").await?;
    for _ in 0..2 {
        store.prune(one, Some(&used.version), Timestamp::MAX).await?;
        assert_holds(store, one, &used.version, "used").await?;
        assert_missing(store, one, &replaced.version).await;
        assert_missing(store, one, &orphan.version).await;
        assert_holds(store, other, &neighbour.version, "neighbour").await?;
    }
    store.prune(one, None, Timestamp::MAX).await?;
    store.prune(other, None, Timestamp::MAX).await
}

async fn prune_leaves_what_was_put_since(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let (old, new) = (put(store, reseller, "old").await?, put(store, reseller, "new").await?);
    for keep in [None, Some(&new.version)] {
        store.prune(reseller, keep, Timestamp::MIN).await?;
        assert_holds(store, reseller, &old.version, "old").await?;
        assert_holds(store, reseller, &new.version, "new").await?;
    }
    store.prune(reseller, None, Timestamp::MAX).await
}

async fn prune_of_all_leaves_nothing(
    store: &dyn CredentialStore,
    one: &ResellerId,
    other: &ResellerId,
) -> Result<(), CredentialStoreError> {
    let old = put(store, one, "old").await?;
    let new = put(store, one, "new").await?;
    let neighbour = put(store, other, "neighbour").await?;
    store.prune(one, None, Timestamp::MAX).await?;
    assert_missing(store, one, &old.version).await;
    assert_missing(store, one, &new.version).await;
    assert_holds(store, other, &neighbour.version, "neighbour").await?;
    store.prune(one, None, Timestamp::MAX).await?;
    store.prune(other, None, Timestamp::MAX).await
}

fn change() -> Change {
    Change { id: uuid::Uuid::new_v4(), by: "the suite".to_owned(), time: NOW, in_use: None }
}

fn client_secret(value: &str, expire_time: Option<Timestamp>) -> Credential {
    Credential::ClientSecret { value: SecretString::from(value), expire_time }
}

async fn put(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
    value: &str,
) -> Result<CredentialInfo, CredentialStoreError> {
    store.put(reseller, &client_secret(value, None), &change()).await
}

async fn assert_holds(
    store: &dyn CredentialStore,
    reseller: &ResellerId,
    version: &CredentialVersion,
    expected: &str,
) -> Result<(), CredentialStoreError> {
    let found = store.get(reseller, version).await?;
    let holds = matches!(&found, Credential::ClientSecret { value, .. } if value.expose_secret() == expected);
    assert!(holds, "{found:?}");
    Ok(())
}

async fn assert_missing(store: &dyn CredentialStore, reseller: &ResellerId, version: &CredentialVersion) {
    let found = store.get(reseller, version).await;
    let is_missing = matches!(
        &found,
        Err(CredentialStoreError::Missing { reseller: of, version: which }
            | CredentialStoreError::Destroyed { reseller: of, version: which }) if of == reseller && which == version
    );
    assert!(is_missing, "expected nothing there, found {found:?}");
}
