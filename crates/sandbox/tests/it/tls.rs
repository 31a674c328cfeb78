//! TLS with a certificate of the sandbox's own.

use std::net::SocketAddr;
use std::time::Duration;

use postrider_sandbox::{Options, seed};

use crate::harness::sandbox_with;

fn tls() -> Options {
    Options { tls: true, tls_names: vec!["microsoft.test".to_owned()], ..Options::default() }
}

#[tokio::test]
async fn a_client_that_trusts_the_sandboxs_authority_gets_tokens_sends_and_is_told_https_addresses() {
    let sandbox = sandbox_with(tls()).await;
    let token = sandbox.token().await;
    assert_eq!(sandbox.send(seed::MAILBOX, &token).await.status, 202);
    let path = format!("/{}/v2.0/.well-known/openid-configuration", seed::TENANT_ID);
    let document = sandbox.get(&path).await.json();
    assert_eq!(document["token_endpoint"], format!("{}/{}/oauth2/v2.0/token", sandbox.url, seed::TENANT_ID));
    assert!(sandbox.url.starts_with("https://"));
}

#[tokio::test]
async fn a_client_that_never_ends_its_handshake_holds_up_nobody() {
    let sandbox = sandbox_with(tls()).await;
    let address: SocketAddr = sandbox.url.trim_start_matches("https://").parse().unwrap();
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(5), sandbox.token()).await;
    assert!(answered.is_ok());
    drop(silent);
}
