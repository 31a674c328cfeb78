//! Settings of the sandbox's ready-made directory, and the mistakes that an administrator makes in them.

use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{ClientSecret, Settings, TestStep};
use postrider_sandbox::seed;

/// The settings of reseller `acme` that work.
pub fn acme_settings() -> Settings {
    Settings {
        reseller: "acme".to_owned(),
        tenant_id: seed::TENANT_ID.to_owned(),
        client_id: seed::CLIENT_ID.to_owned(),
        credential: Some(secret(seed::SECRET)),
        sender_mailbox: seed::MAILBOX.to_owned(),
        ..Settings::default()
    }
}

pub fn secret(value: &str) -> Credential {
    Credential::ClientSecret(ClientSecret { value: value.to_owned(), expire_time: None })
}

/// One of the seven; the mailbox has two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    WrongDirectory,
    WrongClient,
    SecretsId,
    ExpiredSecret,
    MailSendMissing,
    ConsentMissing,
    MailboxMissing,
    MailboxUnlicensed,
}

impl Mistake {
    pub const ALL: [Mistake; 8] = [
        Mistake::WrongDirectory,
        Mistake::WrongClient,
        Mistake::SecretsId,
        Mistake::ExpiredSecret,
        Mistake::MailSendMissing,
        Mistake::ConsentMissing,
        Mistake::MailboxMissing,
        Mistake::MailboxUnlicensed,
    ];

    /// The working settings with this mistake in them.
    pub fn settings(self) -> Settings {
        let mut settings = acme_settings();
        match self {
            Mistake::WrongDirectory => seed::UNKNOWN_TENANT_ID.clone_into(&mut settings.tenant_id),
            Mistake::WrongClient => seed::UNKNOWN_CLIENT_ID.clone_into(&mut settings.client_id),
            Mistake::SecretsId => settings.credential = Some(secret(seed::SECRET_ID)),
            Mistake::ExpiredSecret => {
                seed::EXPIRED_CLIENT_ID.clone_into(&mut settings.client_id);
                settings.credential = Some(secret(seed::EXPIRED_SECRET));
            }
            Mistake::MailSendMissing => seed::NO_MAIL_SEND_CLIENT_ID.clone_into(&mut settings.client_id),
            Mistake::ConsentMissing => seed::NO_CONSENT_CLIENT_ID.clone_into(&mut settings.client_id),
            Mistake::MailboxMissing => seed::MISSING_MAILBOX.clone_into(&mut settings.sender_mailbox),
            Mistake::MailboxUnlicensed => seed::UNLICENSED_MAILBOX.clone_into(&mut settings.sender_mailbox),
        }
        settings
    }

    /// The code of the finding that names it.
    pub fn code(self) -> &'static str {
        match self {
            Mistake::WrongDirectory => "TENANT_NOT_FOUND",
            Mistake::WrongClient => "CLIENT_NOT_FOUND",
            Mistake::SecretsId => "SECRET_IS_ID",
            Mistake::ExpiredSecret => "SECRET_EXPIRED",
            Mistake::MailSendMissing => "MAIL_SEND_MISSING",
            Mistake::ConsentMissing => "CONSENT_MISSING",
            Mistake::MailboxMissing => "MAILBOX_NOT_FOUND",
            Mistake::MailboxUnlicensed => "MAILBOX_NOT_LICENSED",
        }
    }

    /// Where the ladder may end with it. A right that is missing may be told by the token or by Graph, a secret's ID
    /// by its shape or by Entra.
    pub fn steps(self) -> &'static [TestStep] {
        match self {
            Mistake::WrongDirectory => &[TestStep::Directory],
            Mistake::WrongClient | Mistake::ExpiredSecret => &[TestStep::Credential],
            Mistake::SecretsId => &[TestStep::Shape, TestStep::Credential],
            Mistake::MailSendMissing | Mistake::ConsentMissing => &[TestStep::Permission, TestStep::Send],
            Mistake::MailboxMissing | Mistake::MailboxUnlicensed => &[TestStep::Send],
        }
    }
}
