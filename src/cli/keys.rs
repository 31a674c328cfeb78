//! `postrider keys`: the keys by which callers are known.

use clap::{Args, Subcommand};
use postrider_proto::v1::{
    AccessKey, CreateKeyRequest, ListKeysRequest, ListKeysResponse, RevokeKeyRequest, Scope,
};

use super::client::Client;
use super::failure::Failure;
use super::screen::{Output, Screen, plain};
use super::{time, words};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a key and prints it, this once.
    Create(CreateArguments),
    /// Lists the keys, without their secrets.
    List,
    /// Ends a key for good, at once.
    Revoke {
        #[arg(value_name = "KEY_ID")]
        key_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// What people call it.
    name: String,
    /// What it allows; may be given more than once.
    #[arg(long, required = true, ignore_case = true, value_delimiter = ',', value_parser = words::one_of(words::SCOPES))]
    scope: Vec<Scope>,
    /// A reseller that it is bound to; may be given more than once [default: all].
    #[arg(long)]
    reseller: Vec<String>,
    /// When it ends by itself: a time in RFC 3339, or a day [default: never].
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    expires: Option<prost_types::Timestamp>,
}

pub(crate) async fn run(command: KeysCommand, client: &Client, screen: &Screen) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(arguments) => create(arguments, client, screen).await,
        KeysCommand::List => {
            let response = client.access().list_keys(ListKeysRequest {}).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            screen.answer("postrider.v1.ListKeysResponse", &response, table)
        }
        KeysCommand::Revoke { key_id } => {
            let response = client.access().revoke_key(RevokeKeyRequest { key_id: key_id.clone() }).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            screen.answer("postrider.v1.RevokeKeyResponse", &response, |_, _| format!("{key_id} is revoked"))
        }
    }
}

/// The secret alone goes to standard output, so that it can be sent to a file.
async fn create(arguments: CreateArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let request = CreateKeyRequest {
        name: arguments.name,
        scopes: arguments.scope.into_iter().map(i32::from).collect(),
        resellers: arguments.reseller,
        expire_time: arguments.expires,
    };
    let response = client.access().create_key(request).await;
    let response = response.map_err(|status| client.refused(&status))?.into_inner();
    screen.answer("postrider.v1.CreateKeyResponse", &response, |response, _| response.secret.clone())?;
    if screen.output() == Output::Text {
        let key = response.key.unwrap_or_default();
        eprintln!(
            "This is the whole key of `{}`, shown this once. `postrider keys revoke {}` ends it.",
            plain(&key.name),
            plain(&key.key_id)
        );
    }
    Ok(())
}

fn table(response: &ListKeysResponse, screen: &Screen) -> String {
    let rows: Vec<_> = response.keys.iter().map(row).collect();
    screen.table(
        &["KEY_ID", "NAME", "SCOPES", "RESELLERS", "CREATED", "EXPIRES", "LAST_USED", "REVOKED"],
        &rows,
    )
}

fn row(key: &AccessKey) -> Vec<String> {
    let scopes: Vec<_> =
        key.scopes().map(|scope| words::short(scope.as_str_name(), "SCOPE_").to_lowercase()).collect();
    let resellers = if key.resellers.is_empty() { "*".to_owned() } else { plain(&key.resellers.join(",")) };
    let times = [&key.create_time, &key.expire_time, &key.last_use_time, &key.revoke_time];
    let mut row = vec![plain(&key.key_id), plain(&key.name), scopes.join(","), resellers];
    row.extend(times.map(|at| time::shown(at.as_ref())));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_for_all_resellers_shows_a_star() {
        let key = AccessKey {
            key_id: "k1".to_owned(),
            name: "billing".to_owned(),
            scopes: vec![Scope::Send.into(), Scope::Read.into()],
            ..AccessKey::default()
        };
        assert_eq!(row(&key)[..4], ["k1", "billing", "send,read", "*"]);
    }
}
