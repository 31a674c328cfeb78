//! The rest of the token endpoint and the discovery document.

use postrider_sandbox::seed::{self, CLIENT_ID, SECRET, TENANT_ID};
use serde_json::json;

use crate::harness::{Answer, empty_directory, sandbox};

type Form<'a> = &'a [(&'a str, &'a str)];

const SCOPE: (&str, &str) = ("scope", "https://graph.microsoft.com/.default");
const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const CLIENT: (&str, &str) = ("client_id", CLIENT_ID);
const PROOF: (&str, &str) = ("client_secret", SECRET);

#[tokio::test]
async fn each_fault_of_a_request_has_its_own_number() {
    let sandbox = sandbox().await;
    let faults: [(&str, Form<'_>, u64); 8] = [
        (TENANT_ID, &[CLIENT, SCOPE, PROOF], 900_144),
        (TENANT_ID, &[("grant_type", "password"), CLIENT, SCOPE, PROOF], 70_003),
        ("typo", &[GRANT, CLIENT, SCOPE, PROOF], 900_023),
        ("common", &[GRANT, CLIENT, SCOPE, PROOF], 9_001_023),
        (TENANT_ID, &[GRANT, CLIENT, ("scope", "https://graph.microsoft.com/Mail.Send"), PROOF], 1_002_012),
        (TENANT_ID, &[GRANT, CLIENT, SCOPE], 7_000_218),
        (TENANT_ID, &[GRANT, CLIENT, SCOPE, ("client_assertion", "a.b.c")], 900_144),
        (TENANT_ID, &[GRANT, ("client_id", seed::DISABLED_CLIENT_ID), SCOPE, PROOF], 7_000_112),
    ];
    for (tenant, form, number) in faults {
        let answer = sandbox.ask_token_with(tenant, form).await;
        assert_eq!(answer.aadsts().2, number, "{}", answer.text);
    }
    let get = sandbox.get(&format!("/{TENANT_ID}/oauth2/v2.0/token")).await;
    assert_eq!(get.aadsts(), (400, "invalid_request".to_owned(), 900_561));
}

#[tokio::test]
async fn the_secret_may_come_as_http_basic_and_the_tenant_as_a_domain_or_in_capitals() {
    let sandbox = sandbox().await;
    let url = format!("{}/{}/oauth2/v2.0/token", sandbox.url, TENANT_ID.to_uppercase());
    let request = sandbox.client.post(url).basic_auth(CLIENT_ID, Some(SECRET)).form(&[GRANT, SCOPE]);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
    assert_eq!(sandbox.ask_token(seed::DOMAIN, CLIENT_ID, SECRET).await.status, 200);
}

#[tokio::test]
async fn discovery_turns_a_domain_into_the_directorys_guid_and_does_not_know_others() {
    let sandbox = sandbox().await;
    let path = |tenant: &str| format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let document = sandbox.get(&path("ACME.example")).await.json();
    assert_eq!(document["issuer"], format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0"));
    assert_eq!(document["token_endpoint"], format!("{}/{TENANT_ID}/oauth2/v2.0/token", sandbox.url));
    let unknown = sandbox.get(&path("other.example")).await;
    assert_eq!(unknown.aadsts(), (400, "invalid_tenant".to_owned(), 90_002));
}

#[tokio::test]
async fn an_expired_token_and_one_that_is_none_are_401_with_their_own_reason_codes() {
    let sandbox = sandbox().await;
    let directory = json!({
        "apps": [{"client_id": CLIENT_ID, "secrets": [{"value": SECRET}], "token_lifetime_seconds": 0}],
        "mailboxes": [{"address": seed::MAILBOX}],
    });
    assert_eq!(sandbox.put_directory(TENANT_ID, directory).await.status, 204);
    let expired = sandbox.token().await;
    let answer = sandbox.send(seed::MAILBOX, &expired).await;
    assert_eq!(answer.refusal(), (401, "InvalidAuthenticationToken".to_owned()));
    assert!(answer.text.contains("80049228"));
    let answer = sandbox.send(seed::MAILBOX, "Bearer").await;
    assert_eq!(answer.refusal(), (401, "InvalidAuthenticationToken".to_owned()));
    assert!(answer.text.contains("80049217"));
}

#[tokio::test]
async fn an_empty_directory_knows_no_app() {
    let directory = empty_directory();
    assert!(directory.apps.is_empty() && directory.mailboxes.is_empty());
    let sandbox = sandbox().await;
    assert_eq!(sandbox.put_directory("empty.example", json!({})).await.status, 204);
    assert_eq!(sandbox.ask_token("empty.example", CLIENT_ID, SECRET).await.aadsts().2, 700_016);
}
