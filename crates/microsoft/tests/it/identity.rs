//! Managed identities: what the machine is asked, and what its refusals mean.

use postrider_domain::{Cloud, FindingCode};
use postrider_microsoft::IdentityEndpoint;
use secrecy::{ExposeSecret, SecretString};

use crate::support::{Server, Then, client, microsoft_at};

fn answer(status: &str, body: &str) -> Then {
    Then::Answer(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{body}").into_bytes())
}

fn endpoints(origin: &str) -> [IdentityEndpoint; 2] {
    let header = SecretString::from("header-of-this-machine");
    [
        IdentityEndpoint::Metadata { origin: origin.to_owned() },
        IdentityEndpoint::AppService { url: format!("{origin}/msi/token"), header },
    ]
}

#[tokio::test]
async fn the_machine_is_asked_for_the_identity_and_the_clouds_exchange() {
    let server = Server::that(answer("200 OK", r#"{"access_token":"e30.e30.x"}"#)).await;
    for endpoint in endpoints(&server.origin) {
        let asked = server.microsoft().identity_assertion(&endpoint, &client(), Cloud::UsGovHigh).await;
        assert_eq!(asked.expect("an assertion").expose_secret(), "e30.e30.x");
        assert!(!format!("{endpoint:?}").contains("header-of-this-machine"));
    }
    let asked = server.asked();
    let of_client =
        "&resource=api%3A%2F%2FAzureADTokenExchangeUSGov&client_id=11111111-2222-3333-4444-555555555555";
    let (metadata, app_service) = (asked[0].to_lowercase(), asked[1].to_lowercase());
    let wanted =
        format!("get /metadata/identity/oauth2/token?api-version=2018-02-01{of_client} http/1.1\r\n");
    assert!(metadata.starts_with(&wanted.to_lowercase()), "{metadata}");
    assert!(metadata.contains("\r\nmetadata: true\r\n"));
    let wanted = format!("get /msi/token?api-version=2019-08-01{of_client} http/1.1\r\n");
    assert!(app_service.starts_with(&wanted.to_lowercase()), "{app_service}");
    assert!(app_service.contains("\r\nx-identity-header: header-of-this-machine\r\n"));
}

#[tokio::test]
async fn an_identity_that_is_not_there_is_the_settings_and_one_that_does_not_answer_is_the_machines() {
    let error = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    for (then, code) in [
        (answer("400 Bad Request", error), FindingCode::FederationWrong),
        (answer("403 Forbidden", ""), FindingCode::FederationWrong),
        (answer("429 Too Many Requests", ""), FindingCode::CredentialStoreUnavailable),
        (answer("500 Internal Server Error", "<html>"), FindingCode::CredentialStoreUnavailable),
        (answer("200 OK", "{}"), FindingCode::CredentialStoreUnavailable),
        (Then::Close, FindingCode::CredentialStoreUnavailable),
    ] {
        let server = Server::that(then).await;
        for endpoint in endpoints(&server.origin) {
            let asked = server.microsoft().identity_assertion(&endpoint, &client(), Cloud::Global).await;
            assert_eq!(asked.expect_err("no assertion").finding.code, code);
        }
    }
    let echo = r#"{"error":"bad header header-of-this-machine"}"#;
    let server = Server::that(answer("400 Bad Request", echo)).await;
    for endpoint in endpoints(&server.origin) {
        let asked = server.microsoft().identity_assertion(&endpoint, &client(), Cloud::Global).await;
        let is_secret = matches!(endpoint, IdentityEndpoint::AppService { .. });
        let shown = format!("{:?}", asked.expect_err("no assertion").finding.evidence);
        assert_eq!(shown.contains("header-of-this-machine"), !is_secret, "{shown}");
    }
    let nobody = microsoft_at("http://127.0.0.1:1");
    let endpoint = IdentityEndpoint::Metadata { origin: "http://127.0.0.1:1".to_owned() };
    let asked = nobody.identity_assertion(&endpoint, &client(), Cloud::Global).await;
    assert_eq!(asked.expect_err("nobody").finding.code, FindingCode::CredentialStoreUnavailable);
}
