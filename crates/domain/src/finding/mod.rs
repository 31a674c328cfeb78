//! One catalogue of all that can be wrong: it serves a failed message, `TestSettings`, the console and the logs.
//!
//! Each finding is one Markdown file in `catalogue/`, compiled in: a title, what happened, why, and the mend.

use std::collections::BTreeMap;
use std::fmt;

/// What a finding of the class does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingClass {
    /// Holds the lane; its messages keep their attempts.
    Settings,
    /// Fails the message.
    Message,
    /// Defers the message, and the lane waits.
    Limit,
    /// Defers the message without spending its attempts.
    Outage,
    /// Goes by the message's policy.
    InDoubt,
    /// Does nothing.
    Advice,
}

impl FindingClass {
    pub const ALL: [Self; 6] =
        [Self::Settings, Self::Message, Self::Limit, Self::Outage, Self::InDoubt, Self::Advice];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Message => "message",
            Self::Limit => "limit",
            Self::Outage => "outage",
            Self::InDoubt => "in_doubt",
            Self::Advice => "advice",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

macro_rules! catalogue {
    ($($class:ident: $($variant:ident = $code:literal),+ $(,)?;)+) => {
        /// The code of a finding: fixed names that clients hold on to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($(#[doc = concat!("See `catalogue/", $code, ".md`.")] $variant,)+)+
        }

        impl FindingCode {
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $code,)+)+ }
            }

            /// What it does, unless the one who found it knows better.
            pub fn class(self) -> FindingClass {
                match self { $($(Self::$variant => FindingClass::$class,)+)+ }
            }

            /// Its page in the catalogue, whole.
            pub fn page(self) -> &'static str {
                match self { $($(Self::$variant => include_str!(concat!("catalogue/", $code, ".md")),)+)+ }
            }
        }
    };
}

catalogue! {
    Settings:
        TenantNotFound = "TENANT_NOT_FOUND",
        ClientNotFound = "CLIENT_NOT_FOUND",
        SecretWrong = "SECRET_WRONG",
        SecretIsId = "SECRET_IS_ID",
        SecretExpired = "SECRET_EXPIRED",
        CertificateWrong = "CERTIFICATE_WRONG",
        CertificateExpired = "CERTIFICATE_EXPIRED",
        FederationWrong = "FEDERATION_WRONG",
        SignInRefused = "SIGN_IN_REFUSED",
        TokenRefused = "TOKEN_REFUSED",
        AppDisabled = "APP_DISABLED",
        ServicePrincipalMissing = "SERVICE_PRINCIPAL_MISSING",
        ConditionalAccessBlocked = "CONDITIONAL_ACCESS_BLOCKED",
        MailSendMissing = "MAIL_SEND_MISSING",
        ConsentMissing = "CONSENT_MISSING",
        DelegatedNotApplication = "DELEGATED_NOT_APPLICATION",
        MailboxNotFound = "MAILBOX_NOT_FOUND",
        MailboxNotLicensed = "MAILBOX_NOT_LICENSED",
        MailboxOutOfScope = "MAILBOX_OUT_OF_SCOPE",
        MailboxAccessDisabled = "MAILBOX_ACCESS_DISABLED",
        SenderBlocked = "SENDER_BLOCKED",
        SendAsDenied = "SEND_AS_DENIED",
        SendingPaused = "SENDING_PAUSED";
    Message:
        RecipientInvalid = "RECIPIENT_INVALID",
        MessageInvalid = "MESSAGE_INVALID",
        MessageTooLarge = "MESSAGE_TOO_LARGE",
        AttachmentNeedsReadWrite = "ATTACHMENT_NEEDS_READWRITE";
    Limit:
        MailboxFull = "MAILBOX_FULL",
        DailyLimit = "DAILY_LIMIT",
        TenantSendLimit = "TENANT_SEND_LIMIT",
        Throttled = "THROTTLED";
    Outage:
        CredentialStoreUnavailable = "CREDENTIAL_STORE_UNAVAILABLE",
        ClockSkewed = "CLOCK_SKEWED",
        MicrosoftUnavailable = "MICROSOFT_UNAVAILABLE",
        MicrosoftRefused = "MICROSOFT_REFUSED",
        NetworkUnreachable = "NETWORK_UNREACHABLE",
        NotStarted = "NOT_STARTED";
    InDoubt:
        OutcomeUnknown = "OUTCOME_UNKNOWN",
        AcceptedNot202 = "ACCEPTED_NOT_202";
    Advice:
        SecretExpiresSoon = "SECRET_EXPIRES_SOON",
        AccessTooBroad = "ACCESS_TOO_BROAD",
        SentCheckJunk = "SENT_CHECK_JUNK";
}

impl FindingCode {
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == code)
    }

    /// What is wrong, as a heading.
    pub fn title(self) -> &'static str {
        self.page().lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().trim()
    }

    /// What happened, and why it most likely is.
    pub fn explanation(self) -> String {
        format!("{}\n\n{}", self.section("What happened"), self.section("Why"))
    }

    /// What to click or run. Its first line stands alone.
    pub fn mend(self) -> &'static str {
        self.section("Mend")
    }

    fn section(self, heading: &str) -> &'static str {
        let after = |page: &'static str| page.split_once(&format!("\n## {heading}\n")).map(|(_, rest)| rest);
        let body = after(self.page()).unwrap_or_default();
        body.split("\n## ").next().unwrap_or_default().trim()
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One diagnosed fact, with what it was seen by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    pub class: FindingClass,
    /// Status, error code, request ids; never a secret.
    pub evidence: BTreeMap<String, String>,
}

impl Finding {
    pub fn new(code: FindingCode) -> Self {
        Self { code, class: code.class(), evidence: BTreeMap::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.evidence.insert(name.to_owned(), value.to_string());
        self
    }

    /// For the few findings whose class depends on who caused them.
    #[must_use]
    pub fn classed(mut self, class: FindingClass) -> Self {
        self.class = class;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.code.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_a_page_with_all_its_parts() {
        for code in FindingCode::ALL {
            assert!(!code.title().is_empty() && code.title().len() <= 90, "{code}: title");
            for heading in ["What happened", "Why", "Mend"] {
                assert!(!code.section(heading).is_empty(), "{code}: {heading}");
            }
            let first = code.mend().lines().next().unwrap_or_default();
            assert!(
                first.ends_with('.') && !first.starts_with(['1', '-', '`']),
                "{code}: the mend's first line stands alone"
            );
        }
    }

    #[test]
    fn every_page_has_a_finding() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/finding/catalogue");
        for entry in std::fs::read_dir(folder).expect("the catalogue's folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            let code = name.strip_suffix(".md").unwrap_or_else(|| panic!("{name} is no page"));
            assert!(FindingCode::parse(code).is_some(), "{name} belongs to no finding");
        }
    }
}
