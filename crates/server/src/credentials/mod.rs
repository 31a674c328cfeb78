//! Credentials at work: the stores of this process, the tokens they give, and what keeps both in order.
//!
//! | file | does |
//! | --- | --- |
//! | `open` | the local key, Vault and the stores, from the configuration |
//! | `stores` | the sealed store and Vault as one: each version is read from where its name says that it lies |
//! | `ports` | the database's tables, as the sealed store sees them |
//! | `tokens` | settings → credential → access token, behind the cache |
//! | `asking` | Entra is asked for a token, while it answers |
//! | `rotation` | what another hand put into Vault: tried first, then taken |
//! | `janitor` | destroys what the settings do not name: what was replaced, and orphans of puts that died |
//! | `watch`, `notices` | looks at each secret in Vault from time to time; tells of credentials that end |
//! | `rekey`, `migrate` | the commands |
//! | `token_fetch` | what came of asking for a token |

mod asking;
mod janitor;
mod migrate;
mod notices;
mod open;
mod ports;
mod rekey;
mod rotation;
mod stores;
mod token_fetch;
mod tokens;
mod watch;

pub(crate) use asking::Asking;
pub(crate) use janitor::Janitor;
pub use migrate::{MigrateError, Migrated, Migration, migrate};
pub(crate) use notices::Notices;
pub use open::CredentialsError;
pub(crate) use open::{FoundKey, Keys, open_vault};
pub use rekey::{RekeyFailed, rekey};
pub(crate) use rotation::{Refused, Rotation, lost};
pub(crate) use stores::CredentialStores;
pub(crate) use token_fetch::TokenFetch;
pub(crate) use tokens::TokensPort;
pub(crate) use watch::Watch;
