//! The ready-made directory of `postrider serve --sandbox` and `postrider sandbox`: reseller `acme`, able to
//! send, and beside it one thing to try for each mistake an administrator makes.
//!
//! | mistake | what to enter |
//! | --- | --- |
//! | wrong directory | [`UNKNOWN_TENANT_ID`] |
//! | wrong client | [`UNKNOWN_CLIENT_ID`] |
//! | the secret's ID for its Value | [`SECRET_ID`] as the secret |
//! | expired secret | [`EXPIRED_CLIENT_ID`] with [`EXPIRED_SECRET`] |
//! | Mail.Send missing | [`NO_MAIL_SEND_CLIENT_ID`] with [`SECRET`] |
//! | consent missing | [`NO_CONSENT_CLIENT_ID`] with [`SECRET`] |
//! | mailbox missing, unlicensed | [`MISSING_MAILBOX`], [`UNLICENSED_MAILBOX`] |
//!
//! The secrets have Entra's shape, but are made up and open nothing anywhere else.

use jiff::Timestamp;

use crate::directory::{App, Directory, Mailbox, Secret};

/// The directory of reseller `acme`.
pub const TENANT_ID: &str = "5a4d0b0c-0000-4000-8000-00000000acee";
/// A verified domain of it, which may stand for the GUID.
pub const DOMAIN: &str = "acme.example";
/// The app that works.
pub const CLIENT_ID: &str = "5a4d0b0c-0001-4000-8000-00000000a991";
/// The "Secret ID" that the admin centre shows beside [`SECRET`]: the classic thing to paste by mistake.
pub const SECRET_ID: &str = "5a4d0b0c-0002-4000-8000-000000005ec2";
/// The secret's Value. Sandbox only.
pub const SECRET: &str = "sBx8Q~SANDBOX-ONLY.not_a_real_secret~0001";
/// The sender mailbox of reseller `acme`.
pub const MAILBOX: &str = "sales@acme.example";
/// A second mailbox in good order; [`MAILBOX`] may send as it.
pub const SECOND_MAILBOX: &str = "support@acme.example";

/// No directory has this GUID.
pub const UNKNOWN_TENANT_ID: &str = "5a4d0b0c-00ff-4000-8000-00000000ffff";
/// No app of the directory has this GUID.
pub const UNKNOWN_CLIENT_ID: &str = "5a4d0b0c-01ff-4000-8000-00000000ffff";
/// An app whose only secret, [`EXPIRED_SECRET`], has run out.
pub const EXPIRED_CLIENT_ID: &str = "5a4d0b0c-0003-4000-8000-00000000a992";
/// Expired on 2025-01-01. Sandbox only.
pub const EXPIRED_SECRET: &str = "sBx8Q~SANDBOX-ONLY.expired_secret~~~~0002";
/// An app that was granted `User.Read.All`, but not `Mail.Send`. Its secret is [`SECRET`].
pub const NO_MAIL_SEND_CLIENT_ID: &str = "5a4d0b0c-0004-4000-8000-00000000a993";
/// An app whose permissions no administrator consented to. Its secret is [`SECRET`].
pub const NO_CONSENT_CLIENT_ID: &str = "5a4d0b0c-0005-4000-8000-00000000a994";
/// An app that was switched off in Enterprise applications. Its secret is [`SECRET`].
pub const DISABLED_CLIENT_ID: &str = "5a4d0b0c-0006-4000-8000-00000000a995";
/// An app that may also prepare drafts, and so send what is larger than one request. Its secret is [`SECRET`].
pub const READ_WRITE_CLIENT_ID: &str = "5a4d0b0c-0008-4000-8000-00000000a996";
/// A user without an Exchange Online licence.
pub const UNLICENSED_MAILBOX: &str = "unlicensed@acme.example";
/// An address that nobody has.
pub const MISSING_MAILBOX: &str = "nobody@acme.example";

/// The directory, to be put under [`TENANT_ID`].
pub fn directory() -> Directory {
    let expired = Secret {
        id: "5a4d0b0c-0007-4000-8000-000000005ec3".to_owned(),
        value: EXPIRED_SECRET.to_owned(),
        expire_time: Timestamp::from_second(1_735_689_600).ok(),
    };
    Directory {
        domains: vec![DOMAIN.to_owned()],
        apps: vec![
            app(CLIENT_ID),
            App { secrets: vec![expired], ..app(EXPIRED_CLIENT_ID) },
            App { roles: vec!["User.Read.All".to_owned()], ..app(NO_MAIL_SEND_CLIENT_ID) },
            App { consented: false, ..app(NO_CONSENT_CLIENT_ID) },
            App { enabled: false, ..app(DISABLED_CLIENT_ID) },
            App {
                roles: vec!["Mail.Send".to_owned(), "Mail.ReadWrite".to_owned()],
                ..app(READ_WRITE_CLIENT_ID)
            },
        ],
        mailboxes: vec![
            Mailbox { send_as: vec![SECOND_MAILBOX.to_owned()], ..mailbox(MAILBOX) },
            mailbox(SECOND_MAILBOX),
            Mailbox { licensed: false, ..mailbox(UNLICENSED_MAILBOX) },
        ],
        ..Directory::default()
    }
}

fn app(client_id: &str) -> App {
    let secret = Secret { id: SECRET_ID.to_owned(), value: SECRET.to_owned(), expire_time: None };
    App { client_id: client_id.to_owned(), secrets: vec![secret], ..App::default() }
}

fn mailbox(address: &str) -> Mailbox {
    Mailbox { address: address.to_owned(), ..Mailbox::default() }
}
