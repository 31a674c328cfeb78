//! An email as the body of one sendMail request, built whole so that its size is known before anything is sent.

mod json;
mod mime;

use std::fmt;

use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{
    Email, EmailAddress, Finding, FindingCode, MessageId, PayloadForm, SettingsValues, limits,
};

/// The body of one request. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    form: PayloadForm,
    pub(crate) body: Vec<u8>,
    pub(crate) from_given: bool,
}

impl Payload {
    /// `internet_message_id` with its `< >`, and `date`, are carried by MIME only.
    pub fn build(
        email: &Email,
        settings: &SettingsValues,
        internet_message_id: &str,
        date: Timestamp,
    ) -> Self {
        let form = email.form(settings);
        let body = match form {
            PayloadForm::Mime => {
                let message = mime::build(email, settings, internet_message_id, date);
                BASE64.encode(&message).into_bytes()
            }
            PayloadForm::Json => json::build(email, settings),
        };
        Self { form, body, from_given: email.from.is_some() }
    }

    pub fn form(&self) -> PayloadForm {
        self.form
    }

    /// Bytes of the request.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// What is wrong with a payload that Graph does not take in one request.
    pub fn too_large(&self) -> Option<Finding> {
        (self.len() > limits::GRAPH_REQUEST_BYTES_MAX).then(|| {
            Finding::new(FindingCode::MessageTooLarge)
                .with("request_bytes", self.len())
                .with("limit_bytes", limits::GRAPH_REQUEST_BYTES_MAX)
        })
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("form", &self.form)
            .field("bytes", &self.len())
            .finish_non_exhaustive()
    }
}

/// `<id@domain>`: the same for every attempt of a message.
pub fn internet_message_id(message: MessageId, mailbox: &EmailAddress) -> String {
    format!("<{message}@{}>", mailbox.domain())
}

#[cfg(test)]
mod tests;
