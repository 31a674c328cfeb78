//! Certificates and outside issuers: the assertions that prove an app in place of a secret.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use aws_lc_rs::{digest, encoding::AsDer};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use postrider_sandbox::seed::{CLIENT_ID, MAILBOX, TENANT_ID};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use crate::harness::{Running, sandbox};

/// A key, and a certificate for it.
struct Own {
    key: RsaKeyPair,
    certificate: rcgen::Certificate,
    params: CertificateParams,
}

impl Own {
    fn named(name: &str, issuer: Option<&Own>) -> Own {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let pair = pair(&key);
        let certificate = match issuer {
            None => params.self_signed(&pair),
            Some(issuer) => params.signed_by(&pair, &Issuer::from_params(&issuer.params, pair_of(issuer))),
        };
        Own { key, certificate: certificate.unwrap(), params }
    }

    fn thumbprint(&self, algorithm: &'static digest::Algorithm) -> String {
        BASE64URL_NOPAD.encode(digest::digest(algorithm, self.certificate.der()).as_ref())
    }

    fn sign(&self, algorithm: &str, header: Value, claims: &Value) -> String {
        let mut header = header;
        header["alg"] = json!(algorithm);
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(claims));
        let padding: &dyn aws_lc_rs::signature::RsaEncoding =
            if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

fn pair(key: &RsaKeyPair) -> KeyPair {
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    let der = der.as_ref().to_vec();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &PKCS_RSA_SHA256).unwrap()
}

fn pair_of(own: &Own) -> KeyPair {
    pair(&own.key)
}

#[expect(clippy::disallowed_methods, reason = "an assertion has a time, and the sandbox has the real one")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn claims(sandbox: &Running) -> Value {
    json!({
        "aud": format!("{}/{TENANT_ID}/oauth2/v2.0/token", sandbox.url),
        "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": "1", "nbf": now() - 60, "exp": now() + 540,
    })
}

async fn with_app(app: Value) -> Running {
    let sandbox = sandbox().await;
    let mut app = app;
    app["client_id"] = json!(CLIENT_ID);
    let directory = json!({"apps": [app], "mailboxes": [{"address": MAILBOX}]});
    let put = sandbox.put_directory(TENANT_ID, directory).await;
    assert_eq!(put.status, 204, "{}", put.text);
    sandbox
}

/// The AADSTS number, or 0 with a token.
async fn answer(sandbox: &Running, assertion: &str) -> u64 {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    let answer = sandbox.ask_token_with(TENANT_ID, &form).await;
    if answer.status == 200 { 0 } else { answer.aadsts().2 }
}

#[tokio::test]
async fn a_certificate_proves_its_app_by_ps256_and_by_the_older_rs256() {
    let own = Own::named("Mailer", None);
    let sandbox = with_app(json!({"certificates": [own.certificate.pem()]})).await;
    let modern = json!({"typ": "JWT", "x5t#S256": own.thumbprint(&digest::SHA256)});
    let older = json!({"typ": "JWT", "x5t": own.thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)});
    let claims = claims(&sandbox);
    assert_eq!(answer(&sandbox, &own.sign("PS256", modern.clone(), &claims)).await, 0);
    assert_eq!(answer(&sandbox, &own.sign("RS256", older, &claims)).await, 0);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        own.sign("PS256", modern.clone(), &claims)
    };
    assert_eq!(answer(&sandbox, &with("exp", json!(now() - 400))).await, 700_024, "over");
    assert_eq!(answer(&sandbox, &with("nbf", json!(now() + 400))).await, 700_024, "not yet");
    assert_eq!(answer(&sandbox, &with("nbf", json!((now() - 5).to_string()))).await, 0, "as a string");
    assert_eq!(answer(&sandbox, &with("aud", json!("https://login.example"))).await, 700_027);
    assert_eq!(answer(&sandbox, &with("sub", json!("other"))).await, 50_048);
    assert_eq!(answer(&sandbox, "a.b").await, 50_027);
    let stranger = Own::named("Mailer", None);
    let unknown = json!({"x5t#S256": stranger.thumbprint(&digest::SHA256)});
    assert_eq!(answer(&sandbox, &stranger.sign("PS256", unknown, &claims)).await, 700_027);
    assert_eq!(answer(&sandbox, &stranger.sign("PS256", modern, &claims)).await, 700_027, "another's key");
}

#[tokio::test]
async fn a_certificate_of_a_trusted_name_proves_it_with_its_whole_chain() {
    let authority = Own::named("Authority", None);
    let own = Own::named("mailer.acme.example", Some(&authority));
    let sandbox = with_app(json!({"trusted_subjects": ["mailer.acme.example"]})).await;
    let chain = |all: &[&Own]| {
        let der: Vec<String> = all.iter().map(|one| BASE64.encode(one.certificate.der())).collect();
        json!({"x5t#S256": all[0].thumbprint(&digest::SHA256), "x5c": der})
    };
    let claims = claims(&sandbox);
    assert_eq!(answer(&sandbox, &own.sign("PS256", chain(&[&own, &authority]), &claims)).await, 0);
    assert_eq!(answer(&sandbox, &own.sign("PS256", chain(&[&own]), &claims)).await, 700_030, "no chain");
    let other = Own::named("other.example", Some(&authority));
    let named = other.sign("PS256", chain(&[&other, &authority]), &claims);
    assert_eq!(answer(&sandbox, &named).await, 700_030, "another name");
    let foreign = Own::named("Authority", None);
    let broken = own.sign("PS256", chain(&[&own, &foreign]), &claims);
    assert_eq!(answer(&sandbox, &broken).await, 700_030, "signed by another key");
}

#[tokio::test]
async fn an_outside_issuer_is_trusted_for_exactly_its_subject_and_audience() {
    let issuer = Own::named("issuer", None);
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = issuer.key.public_key().as_der().unwrap();
    let public = BASE64.encode(public.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
    let trusted = json!({
        "issuer": "https://kubernetes.example", "subject": "system:serviceaccount:mail:postrider", "keys": [pem],
    });
    let sandbox = with_app(json!({"federated_credentials": [trusted]})).await;
    let claims = json!({
        "iss": "https://kubernetes.example", "sub": "system:serviceaccount:mail:postrider",
        "aud": ["api://AzureADTokenExchange"], "exp": now() + 600,
    });
    let with = |name: &str, value: &str| {
        let mut claims = claims.clone();
        claims[name] = json!(value);
        issuer.sign("RS256", json!({}), &claims)
    };
    assert_eq!(answer(&sandbox, &issuer.sign("RS256", json!({}), &claims)).await, 0);
    assert_eq!(answer(&sandbox, &with("iss", "https://other.example")).await, 700_211);
    assert_eq!(answer(&sandbox, &with("sub", "System:serviceaccount:mail:postrider")).await, 700_213);
    assert_eq!(answer(&sandbox, &with("aud", "api://other")).await, 700_212);
    let forged = Own::named("issuer", None).sign("RS256", json!({}), &claims);
    assert_eq!(answer(&sandbox, &forged).await, 50_013);
    let none = with_app(json!({})).await;
    assert_eq!(answer(&none, &issuer.sign("RS256", json!({}), &claims)).await, 70_021);
}
