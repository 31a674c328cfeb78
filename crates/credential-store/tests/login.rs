//! The ways to log in that need more than a token: a workload's identity, and a certificate over TLS.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use postrider_credential_store::{Vault as Client, VaultAuth, VaultError, VaultFault, VaultSettings};
use postrider_testkit::{Proxy, Vault, World, seen};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use reqwest::Method;
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Signs tokens as a platform does.
struct Platform(EcdsaKeyPair);

impl Platform {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap())
    }

    fn public_key(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der.as_ref()))
    }

    fn token(&self, subject: &str) -> String {
        let part = |value: serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let head = part(json!({"alg": "ES256", "typ": "JWT"}));
        let claims = part(
            json!({"iss": "platform", "aud": "vault", "sub": subject, "iat": 1, "nbf": 1, "exp": 4_000_000_000_u32}),
        );
        let signed = format!("{head}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

#[tokio::test]
async fn a_workload_logs_in_by_its_token_which_is_read_anew_each_time() {
    let world = World::new("");
    let vault = Vault::starts(&world).await;
    let platform = Platform::new();
    vault.asks(Method::POST, "sys/auth/kubernetes", &json!({"type": "jwt"})).await;
    let keys = json!({"jwt_validation_pubkeys": [platform.public_key()], "bound_issuer": "platform"});
    vault.asks(Method::POST, "auth/kubernetes/config", &keys).await;
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_subject": "mailer",
        "token_policies": ["postrider"], "token_ttl": "1h",
    });
    vault.asks(Method::POST, "auth/kubernetes/role/postrider", &role).await;
    // Platforms let everybody read it, in a folder of the workload alone.
    let file = world.file("jwt", &platform.token("somebody-else"));
    let proxy = Proxy::before(vault.address()).await;
    let auth = VaultAuth::Jwt { mount: "kubernetes".to_owned(), role: "postrider".to_owned(), file };
    let settings = VaultSettings {
        address: proxy.address().to_owned(),
        ca_pem: None,
        namespace: Some("team-a".to_owned()),
        auth,
        timeout: TIMEOUT,
    };
    let client = Client::new(settings).unwrap();
    assert_eq!(client.log_in().await.unwrap_err().fault, VaultFault::LoginRefused);
    world.file("jwt", &platform.token("mailer"));
    // The next login waits a second after one that was refused.
    seen("the new token is taken", || client.log_in(), Result::is_ok).await.unwrap();
    assert!(!proxy.seen("POST /v1/auth/kubernetes/login team-a").is_empty(), "in its namespace");
}

/// An authority, the server's certificate and a client's, as files.
struct Certificates {
    ca: PathBuf,
    server: (PathBuf, PathBuf),
    client: (PathBuf, PathBuf),
    expired: (PathBuf, PathBuf),
}

fn certificates(world: &World) -> Certificates {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issued = |name: &str, usage: ExtendedKeyUsagePurpose, year: i32| {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        let key = private(world, &format!("{name}.key"), &key.serialize_pem());
        (world.file(&format!("{name}.pem"), &certificate.pem()), key)
    };
    let server = issued("server", ExtendedKeyUsagePurpose::ServerAuth, 4000);
    let client = issued("client", ExtendedKeyUsagePurpose::ClientAuth, 4000);
    let expired = issued("expired", ExtendedKeyUsagePurpose::ClientAuth, 2020);
    Certificates { ca: world.file("ca.pem", &ca.pem()), server, client, expired }
}

fn private(world: &World, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = world.file(name, text);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[tokio::test]
async fn a_certificate_logs_in_over_tls_of_an_authority_of_ones_own() {
    let world = World::new("");
    let Certificates { ca, server, client, expired } = certificates(&world);
    let vault = Vault::starts_with_tls(&world, &server.0, &server.1, &ca).await;
    vault.asks(Method::POST, "sys/auth/cert", &json!({"type": "cert"})).await;
    let trusted = json!({
        "certificate": std::fs::read_to_string(&ca).unwrap(), "token_policies": ["postrider"],
    });
    vault.asks(Method::POST, "auth/cert/certs/postrider", &trusted).await;
    let logs_in = |ca_pem: Option<Vec<u8>>, files: (PathBuf, PathBuf)| {
        let (certificate_file, key_file) = files;
        let auth = VaultAuth::Certificate { mount: "cert".to_owned(), certificate_file, key_file };
        let address = vault.address().to_owned();
        let settings = VaultSettings { address, ca_pem, namespace: None, auth, timeout: TIMEOUT };
        async move { Client::new(settings).unwrap().log_in().await }
    };
    let pem = std::fs::read(&ca).unwrap();
    let fault = |result: Result<(), VaultError>| result.unwrap_err().fault;
    logs_in(Some(pem.clone()), client.clone()).await.unwrap();
    assert_eq!(fault(logs_in(None, client.clone()).await), VaultFault::Untrusted);
    let refused = logs_in(Some(pem.clone()), expired).await.unwrap_err();
    assert_eq!(refused.fault, VaultFault::LoginRefused);
    assert!(refused.is_configuration(), "it is told at the start");
    let no_key = (client.0, world.path().join("none.key"));
    assert_eq!(fault(logs_in(Some(pem), no_key).await), VaultFault::LoginFile);
}
