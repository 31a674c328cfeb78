//! Makes reseller `acme` of the sandbox ready to send: over the API, and only when it has no settings.

use anyhow::{Context, anyhow};
use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{ClientSecret, PutSettingsRequest, Settings};
use postrider_sandbox::seed;

use super::{Started, own_certificate, reachable};
use crate::cli::client::{Client, DEADLINE};
use crate::cli::place::Place;
use crate::cli::settings;

pub(super) const RESELLER: &str = "acme";

pub(super) async fn make_ready(started: &Started) -> anyhow::Result<()> {
    let grpc = started.endpoints.grpc.context("the API is not served")?;
    let url = match &started.certificate_file {
        None => format!("http://{}", reachable(grpc)),
        // Why not the address: few certificates name one.
        Some(_) => format!("https://localhost:{}", grpc.port()),
    };
    let place = Place { url, named_by: "this process".to_owned(), folders: Vec::new() };
    let key_file = &started.admin_key_file;
    let client = match &started.certificate_file {
        None => Client::with_key_file(&place, key_file).await?,
        Some(certificate) => {
            let channel = own_certificate::connect(reachable(grpc), certificate).await?;
            Client::over_channel(channel, &place, key_file)?
        }
    };
    let saved = settings::read(RESELLER, &client).await.map_err(|status| anyhow!("{}", status.message()))?;
    if saved.is_none() {
        let request = PutSettingsRequest { settings: Some(seeded()) };
        let put = client.settings(DEADLINE).put_settings(request).await;
        put.map_err(|status| anyhow!("{}", status.message()))?;
    }
    Ok(())
}

/// What the sandbox's directory knows as good.
fn seeded() -> Settings {
    let secret = ClientSecret { value: seed::SECRET.to_owned(), expire_time: None };
    Settings {
        reseller: RESELLER.to_owned(),
        tenant_id: seed::TENANT_ID.to_owned(),
        client_id: seed::CLIENT_ID.to_owned(),
        credential: Some(Credential::ClientSecret(secret)),
        sender_mailbox: seed::MAILBOX.to_owned(),
        send_as: vec![seed::SECOND_MAILBOX.to_owned()],
        ..Settings::default()
    }
}
