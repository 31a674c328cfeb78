//! Managed identities, as a virtual machine and App Service give them out, and their way to a token of Graph's.

use postrider_sandbox::seed::{CLIENT_ID, MAILBOX, TENANT_ID};
use serde_json::{Value, json};

use crate::harness::{Answer, Running, sandbox};

const IDENTITY: &str = "5a4d0b0c-0009-4000-8000-00000000a997";
const OBJECT: &str = "5a4d0b0c-000a-4000-8000-00000000a998";

async fn with_identity() -> Running {
    let sandbox = sandbox().await;
    let directory = json!({
        "apps": [{"client_id": CLIENT_ID, "federated_credentials": [{
            "issuer": format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0"),
            "subject": OBJECT,
        }]}],
        "mailboxes": [{"address": MAILBOX}],
        "managed_identities": [{"client_id": IDENTITY, "object_id": OBJECT}],
    });
    assert_eq!(sandbox.put_directory(TENANT_ID, directory).await.status, 204);
    sandbox
}

async fn ask(sandbox: &Running, path: &str, header: Option<&str>) -> Answer {
    let request = sandbox.client.get(format!("{}{path}", sandbox.url));
    let request = match header {
        Some(header) => request.header(header, "true"),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn an_identity_of_this_machine_is_exchanged_for_a_token_of_graphs() {
    let sandbox = with_identity().await;
    let resource = "resource=api://AzureADTokenExchange";
    for (path, header) in [
        (
            format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{resource}&client_id={IDENTITY}"),
            "Metadata",
        ),
        (format!("/msi/token?api-version=2019-08-01&{resource}&client_id={IDENTITY}"), "X-IDENTITY-HEADER"),
    ] {
        let assertion: Value = ask(&sandbox, &path, Some(header)).await.json();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion["access_token"].as_str().unwrap()),
        ];
        let token = sandbox.ask_token_with(TENANT_ID, &form).await.json();
        assert_eq!(sandbox.send(MAILBOX, token["access_token"].as_str().unwrap()).await.status, 202);
        assert_eq!(ask(&sandbox, &path, None).await.status, 400, "without its header");
        let unknown = path.replace(IDENTITY, "somebody");
        assert_eq!(ask(&sandbox, &unknown, Some(header)).await.status, 400, "an identity it does not have");
        let scoped = path.replace("AzureADTokenExchange", "AzureADTokenExchange/.default");
        assert_eq!(ask(&sandbox, &scoped, Some(header)).await.status, 400, "a scope in place of a resource");
    }
}
