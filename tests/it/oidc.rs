//! Callers by token: what the operator's identity provider signed lets in as far as it says, and nothing that only looks like it does.

use data_encoding::BASE64URL_NOPAD;
use postrider_proto::v1::ListSettingsRequest;
use postrider_testkit::{Issuer, Refusal, Service, acme_settings, from_now, mail, reason};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::{given, is_told};

const AUDIENCE: &str = "postrider.example";

async fn trusting(issuer: &Issuer) -> Service {
    given().service().with("oidc.issuer", issuer.url()).with("oidc.audience", AUDIENCE).starts().await
}

/// Seconds since 1970, so many from now.
fn at(seconds: i64) -> i64 {
    from_now(std::time::Duration::ZERO).seconds + seconds
}

/// Claims that let in, but for these.
fn claims(issuer: &Issuer, but: Value) -> Value {
    let mut claims = json!({
        "iss": issuer.url(), "aud": AUDIENCE, "sub": "shop-backend", "iat": at(-5), "exp": at(300),
        "postrider_scopes": "send read", "postrider_resellers": ["acme"],
    });
    let Value::Object(but) = but else { panic!("no object: {but}") };
    for (name, value) in but {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(&name)),
            value => claims[name] = value,
        }
    }
    claims
}

async fn answer(service: &Service, token: &str) -> String {
    let listed = service.client(token).settings().list_settings(ListSettingsRequest::default()).await;
    listed.map_or_else(|status| reason(&status), |_| "welcome".to_owned())
}

#[tokio::test]
async fn a_token_lets_in_as_far_as_it_says_and_no_further() {
    let issuer = Issuer::starts().await;
    let service = trusting(&issuer).await;
    let shop = service.client(&issuer.signs(&claims(&issuer, json!({}))));
    shop.sends(mail("acme").waiting_for_sent()).await;
    let denied = shop.tries_to_put(acme_settings()).await.unwrap_err();
    assert_eq!(Refusal::of(&denied).kind(), (Code::PermissionDenied, "ACCESS_DENIED"));
    assert_eq!(reason(&shop.tries(mail("globex")).await.unwrap_err()), "ACCESS_DENIED");

    let by_json = format!("http://{}/v1/resellers/acme/settings:test", service.http());
    let by_json = reqwest::Client::default().post(by_json).bearer_auth(shop.key()).body("{}");
    assert_eq!(by_json.send().await.unwrap().status(), 403);
    let refused = ["PutSettings", "SendMail", "TestSettings"].map(|rpc| format!("{rpc} ACCESS_DENIED"));
    is_told(&service, "oidc:shop-backend", &refused.each_ref().map(String::as_str)).await;

    let all = claims(
        &issuer,
        json!({"sub": "the-operator", "postrider_scopes": ["admin"], "postrider_resellers": ["*"], "aud": ["x", AUDIENCE]}),
    );
    service.client(&issuer.signs(&all)).puts(acme_settings()).await;
    is_told(&service, "oidc:the-operator", &["PutSettings"]).await;
    for nothing in [json!({"postrider_resellers": null}), json!({"postrider_scopes": null})] {
        let client = service.client(&issuer.signs(&claims(&issuer, nothing.clone())));
        assert_eq!(reason(&client.tries(mail("acme")).await.unwrap_err()), "ACCESS_DENIED", "{nothing}");
    }
    service.admin().sends(mail("acme")).await;
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_is_one_answer() {
    let issuer = Issuer::starts().await;
    let service = trusting(&issuer).await;
    let signed = |but| issuer.signs(&claims(&issuer, but));
    let good = signed(json!({}));
    let [header, body, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let coded = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let none = coded(json!({"alg": "none", "kid": "k1"}));
    let more = coded(claims(&issuer, json!({"postrider_scopes": "admin"})));
    let other = Issuer::starts().await;
    let by_secret = coded(json!({"alg": "HS256", "kid": "k1"}));
    let tokens = [
        ("expired", signed(json!({"exp": at(-120)}))),
        ("without an end", signed(json!({"exp": null}))),
        ("not yet", signed(json!({"nbf": at(600)}))),
        ("of the future", signed(json!({"iat": at(600)}))),
        ("for another audience", signed(json!({"aud": "other.example"}))),
        ("for nobody", signed(json!({"aud": null}))),
        ("of another issuer", signed(json!({"iss": "https://other.example"}))),
        ("of nobody", signed(json!({"iss": null}))),
        ("without a subject", signed(json!({"sub": null}))),
        ("with a subject that is no name", signed(json!({"sub": "a\nb"}))),
        ("unsigned", format!("{none}.{body}.")),
        ("said to be unsigned", format!("{none}.{body}.{signature}")),
        ("signed by a secret", format!("{by_secret}.{body}.{signature}")),
        ("changed", format!("{header}.{more}.{signature}")),
        ("by another's key of the same name", issuer.forges("k1", &claims(&issuer, json!({})))),
        ("by a key that there is not", issuer.forges("k2", &claims(&issuer, json!({})))),
        ("by a key that it brings along", issuer.forges_with_its_key(&other, &claims(&issuer, json!({})))),
        ("another issuer's", other.signs(&claims(&other, json!({})))),
        ("no token", "a.b.c".to_owned()),
    ];
    for (what, token) in tokens {
        assert_eq!(answer(&service, &token).await, "UNAUTHENTICATED", "a token that is {what}");
    }
    assert_eq!(answer(&service, &good).await, "welcome");
    assert_eq!(other.fetches(), 0, "a token chose where its key is fetched from");
    assert!(!service.stderr().contains(signature), "a token is in the log");
}

#[tokio::test]
async fn keys_are_rotated_under_way_and_strangers_do_not_have_them_fetched_again_and_again() {
    let issuer = Issuer::starts().await;
    let service = trusting(&issuer).await;
    assert_eq!(answer(&service, &issuer.signs(&claims(&issuer, json!({})))).await, "welcome");
    assert_eq!(issuer.fetches(), 1);
    issuer.rotates_to("k2");
    assert_eq!(answer(&service, &issuer.signs(&claims(&issuer, json!({})))).await, "welcome");
    assert_eq!(issuer.fetches(), 2);
    for number in 0..20 {
        let forged = issuer.forges(&format!("unheard-{number}"), &claims(&issuer, json!({})));
        assert_eq!(answer(&service, &forged).await, "UNAUTHENTICATED");
    }
    assert!(issuer.fetches() <= 4, "{} fetches", issuer.fetches());
}

#[tokio::test]
async fn while_the_issuer_is_away_its_keys_hold_and_without_them_nobody_is_called_a_stranger() {
    let issuer = Issuer::starts().await;
    let (service, late) = (trusting(&issuer).await, trusting(&issuer).await);
    let token = issuer.signs(&claims(&issuer, json!({})));
    assert_eq!(answer(&service, &token).await, "welcome");
    issuer.is_away(true);
    assert_eq!(answer(&service, &token).await, "welcome");
    assert_eq!(answer(&late, &token).await, "ISSUER_UNAVAILABLE");
    late.admin().sends(mail("acme")).await;
}
