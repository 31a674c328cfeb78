//! How an app proves itself by a certificate: a JWT that it signs, good for one request.
//!
//! PS256 with `x5t#S256`, as Entra asks for today. It begins five minutes ago, so that a clock of ours that runs ahead
//! does not make it one of the future; it ends ten minutes from now.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use jiff::Timestamp;
use postrider_domain::{Certificate, ClientId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

const BEFORE: Duration = Duration::from_mins(5);
const LIFE: Duration = Duration::from_mins(10);

/// The key cannot sign: it is not what was put.
#[derive(Debug)]
pub(crate) struct BrokenKey;

/// `audience` is the token endpoint that is asked.
pub(crate) fn sign(
    certificate: &Certificate,
    client: &ClientId,
    audience: &str,
    now: Timestamp,
) -> Result<SecretString, BrokenKey> {
    let own = certificate.chain.first().ok_or(BrokenKey)?;
    let mut header = json!({
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": BASE64URL_NOPAD.encode(digest(&SHA256, own).as_ref()),
    });
    if certificate.send_chain {
        header["x5c"] = certificate.chain.iter().map(|der| BASE64.encode(der)).collect();
    }
    let from = now.saturating_sub(BEFORE).unwrap_or(Timestamp::MIN).as_second();
    let claims = json!({
        "aud": audience,
        "iss": client.as_str(),
        "sub": client.as_str(),
        "jti": Uuid::new_v4().to_string(),
        "iat": from,
        "nbf": from,
        "exp": now.saturating_add(LIFE).unwrap_or(Timestamp::MAX).as_second(),
    });
    let encoded = |part: &serde_json::Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let key = RsaKeyPair::from_pkcs8(certificate.key.expose_secret()).map_err(|_| BrokenKey)?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| BrokenKey)?;
    Ok(SecretString::from(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::certificate::fixtures;

    fn parts(assertion: &SecretString) -> (Value, Value, bool) {
        let text = assertion.expose_secret();
        let (signed, signature) = text.rsplit_once('.').expect("a signature");
        let (header, claims) = signed.split_once('.').expect("claims");
        let decoded = |part: &str| {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64")).expect("JSON")
        };
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, fixtures::public_key());
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64");
        (decoded(header), decoded(claims), key.verify(signed.as_bytes(), &signature).is_ok())
    }

    #[test]
    fn an_assertion_says_who_for_whom_and_when_and_is_signed_by_the_certificates_key() {
        let client = ClientId::parse("11111111-2222-3333-4444-555555555555").expect("a GUID");
        let now = "2026-11-23T10:00:00Z".parse().expect("a time");
        let audience = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";
        let certificate = fixtures::certificate(false);
        let (header, claims, is_signed) =
            parts(&sign(&certificate, &client, audience, now).expect("an assertion"));
        assert!(is_signed);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
        assert_eq!(header["x5t#S256"], fixtures::thumbprint());
        assert_eq!(header.get("x5c"), None);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(client.as_str()), &json!(client.as_str())));
        assert_eq!(claims["aud"], audience);
        assert_eq!(
            (&claims["nbf"], &claims["exp"]),
            (&json!(now.as_second() - 300), &json!(now.as_second() + 600))
        );
        let (_, again, _) = parts(&sign(&certificate, &client, audience, now).expect("an assertion"));
        assert_ne!(claims["jti"], again["jti"], "each is good for one request");
    }

    #[test]
    fn the_chain_goes_along_where_it_is_asked_for() {
        let client = ClientId::parse("11111111-2222-3333-4444-555555555555").expect("a GUID");
        let certificate = fixtures::certificate(true);
        let assertion = sign(&certificate, &client, "x", Timestamp::UNIX_EPOCH).expect("an assertion");
        let (header, ..) = parts(&assertion);
        let chain: Vec<_> = certificate.chain.iter().map(|der| json!(BASE64.encode(der))).collect();
        assert!(chain.len() > 1);
        assert_eq!(header["x5c"], json!(chain));
    }
}
