//! What a reseller's secret in Vault looks like: the credential's fields, and beside them what Postrider notes.
//!
//! ```json
//! {
//!   "kind": "client_secret", "client_secret": "…", "expire_time": "2027-01-15T00:00:00Z",
//!   "postrider": {
//!     "format": 1, "put_id": "…", "fingerprint": "…", "expire_time": "…", "put_time": "…", "changed_by": "…"
//!   }
//! }
//! ```
//! An operator may write it by hand, with the fields alone: `vault kv patch … client_secret=…`. The note then fits no
//! longer, or is gone, and that tells another hand's change from a put of ours that died.

use jiff::Timestamp;
use postrider_domain::{CredentialKind, Fingerprint};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::parts::Parts;
use crate::{Change, KeyedHash};

const FORMAT: u32 = 1;
const NOTE: &str = "postrider";
const KIND: &str = "kind";
const EXPIRE_TIME: &str = "expire_time";

#[derive(Serialize, Deserialize)]
struct Note {
    format: u32,
    put_id: String,
    fingerprint: String,
    expire_time: Option<Timestamp>,
    put_time: Timestamp,
    changed_by: String,
}

/// A secret as it was read.
pub(super) struct Secret {
    pub(super) parts: Parts,
    pub(super) fingerprint: Fingerprint,
    /// Whether its note was written with just this content.
    pub(super) is_ours: bool,
}

pub(super) fn write(parts: &Parts, fingerprint: &Fingerprint, change: &Change) -> serde_json::Result<Value> {
    let mut data: Map<String, Value> =
        parts.fields.iter().map(|(name, value)| (name.clone(), value.expose_secret().into())).collect();
    data.insert(KIND.to_owned(), parts.kind.as_str().into());
    if let Some(expire_time) = parts.expire_time {
        data.insert(EXPIRE_TIME.to_owned(), expire_time.to_string().into());
    }
    let note = Note {
        format: FORMAT,
        put_id: change.id.simple().to_string(),
        fingerprint: fingerprint.to_string(),
        expire_time: parts.expire_time,
        put_time: change.time,
        changed_by: change.by.clone(),
    };
    data.insert(NOTE.to_owned(), serde_json::to_value(note)?);
    Ok(Value::Object(data))
}

/// Nothing, if it is no credential. What was read is wiped.
pub(super) fn read(data: Value, hash: &KeyedHash) -> Option<Secret> {
    let Value::Object(mut data) = data else { return None };
    let note = data.remove(NOTE).and_then(|note| serde_json::from_value::<Note>(note).ok());
    // By hand, the kind may be left out of what most have.
    let kind = match take(&mut data, KIND).ok()? {
        Some(kind) => CredentialKind::parse(kind.expose_secret())?,
        None => CredentialKind::ClientSecret,
    };
    let expire_time = match take(&mut data, EXPIRE_TIME).ok()? {
        Some(time) if !time.expose_secret().is_empty() => Some(time.expose_secret().parse().ok()?),
        _ => None,
    };
    let names: Vec<String> = data.keys().cloned().collect();
    let fields = names.into_iter().map(|name| Some((take(&mut data, &name).ok()??, name)));
    let fields = fields.map(|field| field.map(|(value, name)| (name, value))).collect::<Option<_>>()?;
    let mut parts = Parts { kind, expire_time, fields };
    let fingerprint = parts.fingerprint(hash);
    let (is_ours, is_of_another) = note.map_or((false, false), |note| {
        let (is_same, is_dated_so) =
            (note.fingerprint == fingerprint.as_str(), note.expire_time == parts.expire_time);
        (is_same && is_dated_so, !is_same && is_dated_so)
    });
    if is_of_another && kind == CredentialKind::ClientSecret {
        // A patch of the secret alone leaves the date of the one before it.
        parts.expire_time = None;
    }
    Some(Secret { parts, fingerprint, is_ours })
}

/// It is there, and is no text.
struct NoText;

fn take(data: &mut Map<String, Value>, name: &str) -> Result<Option<SecretString>, NoText> {
    match data.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(mut text)) => {
            let taken = SecretString::from(text.as_str());
            text.zeroize();
            Ok(Some(taken))
        }
        Some(_) => Err(NoText),
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::Credential;
    use serde_json::json;

    use super::*;
    use crate::{KeyPurpose, LocalKey};

    fn hash() -> KeyedHash {
        KeyedHash::new(&LocalKey::of_bytes([3; 32]), KeyPurpose::CredentialFingerprint)
    }

    fn written() -> Value {
        let credential = Credential::ClientSecret {
            value: "s3cret".into(),
            expire_time: Some(Timestamp::constant(1_800_000_000, 0)),
        };
        let parts = Parts::of(&credential);
        let change =
            Change { id: uuid::Uuid::nil(), by: "ops".to_owned(), time: Timestamp::UNIX_EPOCH, in_use: None };
        write(&parts, &parts.fingerprint(&hash()), &change).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_and_is_ours() {
        let secret = read(written(), &hash()).unwrap();
        assert!(secret.is_ours);
        assert_eq!(secret.parts.expire_time, Some(Timestamp::constant(1_800_000_000, 0)));
        assert_eq!(secret.parts.fields["client_secret"].expose_secret(), "s3cret");
    }

    #[test]
    fn what_another_hand_writes_is_not_ours() {
        let mut patched = written();
        patched["client_secret"] = "other".into();
        let secret = read(patched, &hash()).unwrap();
        assert!(!secret.is_ours, "the note stayed, and fits no more");
        let bare = read(json!({"client_secret": "other"}), &hash()).unwrap();
        assert!(!bare.is_ours && bare.fingerprint == secret.fingerprint);
        let mut extended = written();
        extended["expire_time"] = "2030-01-01T00:00:00Z".into();
        let extended = read(extended, &hash()).unwrap();
        assert!(!extended.is_ours, "the same secret, of which more is known");
    }

    #[test]
    fn the_date_of_a_secret_is_not_taken_for_that_of_another_that_took_its_place() {
        let mut patched = written();
        patched["client_secret"] = "other".into();
        assert_eq!(read(patched.clone(), &hash()).unwrap().parts.expire_time, None);
        patched["expire_time"] = "2030-01-01T00:00:00Z".into();
        assert!(read(patched, &hash()).unwrap().parts.expire_time.is_some());
    }

    #[test]
    fn what_is_no_credential_reads_as_nothing() {
        for data in [
            json!(null),
            json!("text"),
            json!({"client_secret": 5}),
            json!({"kind": "password", "client_secret": "x"}),
            json!({"client_secret": "x", "expire_time": "soon"}),
            json!({"client_secret": "x", "expire_time": 1_827_619_200}),
            json!({"client_secret": "x", "kind": 5}),
            json!({"client_secret": null}),
        ] {
            assert!(read(data.clone(), &hash()).is_none(), "{data}");
        }
        let of_another_kind = read(json!({"password": "x"}), &hash()).unwrap();
        assert!(of_another_kind.parts.into_credential().is_none());
    }
}
