//! The seven mistakes an administrator makes, with the answer that Microsoft gives for each.

use postrider_sandbox::seed::{self, MAILBOX, SECRET, TENANT_ID};

use crate::harness::sandbox;

#[tokio::test]
async fn a_wrong_tenant_is_aadsts_90002() {
    let sandbox = sandbox().await;
    let answer = sandbox.ask_token(seed::UNKNOWN_TENANT_ID, seed::CLIENT_ID, SECRET).await;
    assert_eq!(answer.aadsts(), (400, "invalid_request".to_owned(), 90_002));
    assert!(answer.text.contains("Check to make sure you have the correct tenant ID"));
}

#[tokio::test]
async fn a_wrong_client_is_aadsts_700016() {
    let sandbox = sandbox().await;
    let answer = sandbox.ask_token(TENANT_ID, seed::UNKNOWN_CLIENT_ID, SECRET).await;
    assert_eq!(answer.aadsts(), (400, "unauthorized_client".to_owned(), 700_016));
    assert!(answer.text.contains("was not found in the directory"));
}

#[tokio::test]
async fn the_secrets_id_in_place_of_its_value_is_aadsts_7000215() {
    let sandbox = sandbox().await;
    let answer = sandbox.ask_token(TENANT_ID, seed::CLIENT_ID, seed::SECRET_ID).await;
    assert_eq!(answer.aadsts(), (401, "invalid_client".to_owned(), 7_000_215));

    let json = answer.json();
    let description = json["error_description"].as_str().unwrap();
    assert!(description.starts_with(
        "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
         value, not the client secret ID, for a secret added to app '"
    ));
    for id in ["trace_id", "correlation_id", "timestamp"] {
        assert!(description.contains(json[id].as_str().unwrap()), "{id}");
    }
    assert_eq!(json["error_uri"], "https://login.microsoftonline.com/error?code=7000215");
    assert_eq!(answer.header("x-ms-request-id"), json["trace_id"].as_str());
    assert!(!answer.text.contains(seed::SECRET_ID));
}

#[tokio::test]
async fn an_expired_secret_is_aadsts_7000222() {
    let sandbox = sandbox().await;
    let answer = sandbox.ask_token(TENANT_ID, seed::EXPIRED_CLIENT_ID, seed::EXPIRED_SECRET).await;
    assert_eq!(answer.aadsts(), (401, "invalid_client".to_owned(), 7_000_222));
    assert!(answer.text.contains("https://aka.ms/NewClientSecret"));
}

#[tokio::test]
async fn a_token_without_mail_send_is_403_error_access_denied() {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(seed::NO_MAIL_SEND_CLIENT_ID).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (403, "ErrorAccessDenied".to_owned()));
    assert_eq!(answer.json()["error"]["message"], "Access is denied. Check credentials and try again.");
    let inner = &answer.json()["error"]["innerError"];
    assert_eq!(inner["request-id"].as_str(), answer.header("request-id"));
    assert_eq!(inner["date"].as_str().unwrap().len(), "2026-11-23T10:00:00".len());
}

#[tokio::test]
async fn a_token_without_consent_is_issued_but_is_401_at_graph() {
    let sandbox = sandbox().await;
    let token = sandbox.token_of(seed::NO_CONSENT_CLIENT_ID).await;
    let answer = sandbox.send(MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (401, "NoPermissionsInAccessToken".to_owned()));
}

#[tokio::test]
async fn a_missing_mailbox_is_404_error_invalid_user_and_an_unlicensed_one_not_enabled() {
    let sandbox = sandbox().await;
    let token = sandbox.token().await;
    let answer = sandbox.send(seed::MISSING_MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (404, "ErrorInvalidUser".to_owned()));
    assert_eq!(answer.json()["error"]["message"], "The requested user 'nobody@acme.example' is invalid.");
    let answer = sandbox.send(seed::UNLICENSED_MAILBOX, &token).await;
    assert_eq!(answer.refusal(), (404, "MailboxNotEnabledForRESTAPI".to_owned()));
    assert!(sandbox.messages().await.is_empty());
}
