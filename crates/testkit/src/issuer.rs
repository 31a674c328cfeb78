//! An identity provider: its discovery document, its keys, and the tokens that it signs.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves as long as the test runs. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    keys: Vec<SigningKey>,
    fetches: usize,
    is_away: bool,
}

struct SigningKey {
    id: String,
    pair: KeyPair,
}

impl SigningKey {
    fn named(id: &str) -> Self {
        Self { id: id.to_owned(), pair: KeyPair::generate().unwrap() }
    }

    /// An uncompressed point of P-256: a byte, then both coordinates.
    fn public(&self) -> Value {
        let (x, y) = self.pair.der_bytes()[1..].split_at(32);
        let text = |bytes| BASE64URL_NOPAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": text(x), "y": text(y)})
    }

    fn signs(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

impl Issuer {
    /// With one key, `k1`.
    pub async fn starts() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let shared = Shared { keys: vec![SigningKey::named("k1")], fetches: 0, is_away: false };
        let issuer = Self { url, shared: Arc::new(Mutex::new(shared)) };
        let (discovery, keys) = (issuer.clone(), issuer.clone());
        let pages = Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(async move || {
                    discovery.answers(
                        &json!({"issuer": discovery.url, "jwks_uri": format!("{}/keys", discovery.url)}),
                    )
                }),
            )
            .route("/realm/keys", get(async move || keys.shows_keys()));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        issuer
    }

    fn shows_keys(&self) -> (http::StatusCode, String) {
        let keys: Vec<_> = {
            let mut shared = self.shared.lock().unwrap();
            shared.fetches += 1;
            shared.keys.iter().map(SigningKey::public).collect()
        };
        self.answers(&json!({"keys": keys}))
    }

    fn answers(&self, document: &Value) -> (http::StatusCode, String) {
        let is_away = self.shared.lock().unwrap().is_away;
        let status = if is_away { http::StatusCode::SERVICE_UNAVAILABLE } else { http::StatusCode::OK };
        (status, document.to_string())
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts another key in the place of all before.
    pub fn rotates_to(&self, id: &str) {
        self.shared.lock().unwrap().keys = vec![SigningKey::named(id)];
    }

    pub fn is_away(&self, is_away: bool) {
        self.shared.lock().unwrap().is_away = is_away;
    }

    /// How often the keys were fetched.
    pub fn fetches(&self) -> usize {
        self.shared.lock().unwrap().fetches
    }

    /// A token with these claims, by the key there is.
    pub fn signs(&self, claims: &Value) -> String {
        let shared = self.shared.lock().unwrap();
        let key = shared.keys.last().unwrap();
        key.signs(&header(&key.id), claims)
    }

    /// The same by a key of nobody's, which says that it is `id`.
    pub fn forges(&self, id: &str, claims: &Value) -> String {
        SigningKey::named(id).signs(&header(id), claims)
    }

    /// The same, which brings that key along and says besides that it is among the keys of another issuer.
    pub fn forges_with_its_key(&self, other: &Self, claims: &Value) -> String {
        let key = SigningKey::named("own");
        let jwk = serde_json::from_value(key.public()).unwrap();
        let jku = Some(format!("{}/keys", other.url));
        key.signs(&Header { jwk: Some(jwk), jku, ..header(&key.id) }, claims)
    }
}

fn header(key_id: &str) -> Header {
    Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::ES256) }
}
