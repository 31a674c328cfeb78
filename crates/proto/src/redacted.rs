//! `Debug` of the messages that hold a secret or a mail: they print `[redacted]` in its place.
//!
//! The generator leaves their `Debug` out (`REDACTED` in `tests/support/generate.rs`), so a message that is added there
//! does not compile until it has one here.

use std::fmt::{Debug, Formatter, Result};

use crate::v1::{
    Address, Attachment, Certificate, ClientSecret, CreateKeyResponse, Email, Message, certificate,
};

const REDACTED: &str = "[redacted]";

impl Debug for ClientSecret {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ClientSecret")
            .field("value", &format_args!("{REDACTED}"))
            .field("expire_time", &self.expire_time)
            .finish()
    }
}

impl Debug for Certificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Certificate")
            .field("content", &self.content)
            .field("passphrase", &format_args!("{REDACTED}"))
            .field("send_chain", &self.send_chain)
            .finish()
    }
}

impl Debug for certificate::Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Pem(_) => write!(f, "Pem({REDACTED})"),
            Self::Pfx(_) => write!(f, "Pfx({REDACTED})"),
        }
    }
}

impl Debug for CreateKeyResponse {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("CreateKeyResponse")
            .field("key", &self.key)
            .field("secret", &format_args!("{REDACTED}"))
            .finish()
    }
}

impl Debug for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Address({REDACTED})")
    }
}

impl Debug for Attachment {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Attachment({REDACTED}, {} bytes)", self.content.len())
    }
}

/// Only how much there is of each: addresses, subject, bodies, files and headers are the sender's business.
impl Debug for Email {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Email")
            .field("recipients", &(self.to.len() + self.cc.len() + self.bcc.len()))
            .field("attachments", &self.attachments)
            .finish_non_exhaustive()
    }
}

/// All but the subject, which is sealed wherever it is stored.
impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Message")
            .field("reseller", &self.reseller)
            .field("message_id", &self.message_id)
            .field("request_id", &self.request_id)
            .field("state", &self.state())
            .field("internet_message_id", &self.internet_message_id)
            .field("create_time", &self.create_time)
            .field("update_time", &self.update_time)
            .field("send_time", &self.send_time)
            .field("expire_time", &self.expire_time)
            .field("next_attempt_time", &self.next_attempt_time)
            .field("attempts", &self.attempts)
            .field("finding", &self.finding)
            .field("subject", &format_args!("{REDACTED}"))
            .field("recipient_count", &self.recipient_count)
            .field("labels", &self.labels)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use prost::bytes::Bytes;

    use super::*;
    use crate::v1::{PutSettingsRequest, SendMailRequest, SendMailResponse, Settings, settings::Credential};

    fn printed_with(credential: Credential) -> String {
        let settings = Settings { credential: Some(credential), ..Settings::default() };
        format!("{:#?}", PutSettingsRequest { settings: Some(settings) })
    }

    #[test]
    fn a_credential_prints_nothing_of_its_secret() {
        let planted = || "planted-secret".to_owned();
        let secret = Credential::ClientSecret(ClientSecret { value: planted(), expire_time: None });
        let certificate =
            |content| Certificate { content: Some(content), passphrase: planted(), send_chain: true };
        let pem = Credential::Certificate(certificate(certificate::Content::Pem(planted())));
        let pfx = Credential::Certificate(certificate(certificate::Content::Pfx(Bytes::from(planted()))));
        for printed in [secret, pem, pfx].map(printed_with) {
            assert!(printed.contains(REDACTED) && !printed.contains("planted"), "{printed}");
            assert!(!printed.contains("112"), "bytes as numbers: {printed}");
        }
    }

    #[test]
    fn a_key_prints_nothing_of_its_secret() {
        let printed = format!("{:?}", CreateKeyResponse { key: None, secret: "pr_1_planted".to_owned() });
        assert_eq!(printed, "CreateKeyResponse { key: None, secret: [redacted] }");
    }

    #[test]
    fn a_mail_prints_sizes_and_no_content() {
        let planted = || "planted".to_owned();
        let address = || Address { address: planted(), display_name: planted() };
        let attachment =
            Attachment { file_name: planted(), content: Bytes::from(planted()), ..Attachment::default() };
        let email = Email {
            from: Some(address()),
            to: vec![address(), address()],
            reply_to: vec![address()],
            subject: planted(),
            text: planted(),
            html: planted(),
            attachments: vec![attachment],
            headers: [("x-note".to_owned(), planted())].into(),
            ..Email::default()
        };
        let printed = format!("{:?}", SendMailRequest { email: Some(email), ..SendMailRequest::default() });
        assert!(!printed.contains("planted"), "{printed}");
        assert!(
            printed.contains("recipients: 2, attachments: [Attachment([redacted], 7 bytes)]"),
            "{printed}"
        );

        let message = Message { subject: planted(), message_id: "m1".to_owned(), ..Message::default() };
        let printed = format!("{:?}", SendMailResponse { message: Some(message), replayed: false });
        assert!(printed.contains("m1") && !printed.contains("planted"), "{printed}");
    }
}
