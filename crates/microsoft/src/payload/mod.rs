//! An email as Graph takes it: one sendMail request, or a draft with its files where one request cannot carry it.
//!
//! Which of the two is known before anything is built or sent ([`Payload::fit`]): it costs no more than the texts.

mod draft;
mod json;
mod mime;
mod part;

use std::fmt;

use bytes::Bytes;
use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{
    Email, EmailAddress, Finding, FindingCode, MessageId, PayloadForm, SettingsValues, limits,
};
use uuid::Uuid;

pub(crate) use draft::{Draft, Part};
use mime::Extent;
use part::Boundaries;

/// What is handed to Graph. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    form: PayloadForm,
    pub(crate) shape: Shape,
    pub(crate) from_given: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The body of one sendMail request.
    Request(Bytes),
    Draft(Draft),
}

/// What an email takes to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Request,
    /// More than one request can carry: a draft, which needs `Mail.ReadWrite` and is always kept in Sent Items.
    Draft,
    /// Its texts alone are more than one request of so many bytes can carry.
    TooLarge(usize),
}

impl Payload {
    /// `internet_message_id` with its `< >`, and `date`, are carried by MIME and by drafts.
    pub fn build(
        email: &Email,
        settings: &SettingsValues,
        internet_message_id: &str,
        date: Timestamp,
    ) -> Self {
        let form = email.form(settings);
        let bytes = request_len(email, settings, form, internet_message_id, date);
        let shape = if bytes <= limits::GRAPH_REQUEST_BYTES_MAX {
            Shape::Request(match form {
                PayloadForm::Mime => mime_request(email, settings, internet_message_id, date, Extent::Whole),
                PayloadForm::Json => json::build(email, settings, true).into(),
            })
        } else {
            let invitation = part::invitation(email).filter(|_| form == PayloadForm::Mime);
            let files = email.attachments.iter().filter(|file| Some(*file) != invitation);
            Shape::Draft(Draft {
                create: draft_request(email, settings, form, internet_message_id, date),
                files: files.map(|file| Part::of(file, email.html.is_some())).collect(),
                message_id: internet_message_id.to_owned(),
            })
        };
        Self { form, shape, from_given: email.from.is_some() }
    }

    /// What it will take, without building it.
    pub fn fit(email: &Email, settings: &SettingsValues) -> Fit {
        let form = email.form(settings);
        let id = internet_message_id(MessageId::of_uuid(Uuid::nil()), &settings.mailbox);
        // As long as any when it is written.
        let date = Timestamp::constant(978_307_199, 0);
        if request_len(email, settings, form, &id, date) <= limits::GRAPH_REQUEST_BYTES_MAX {
            return Fit::Request;
        }
        match draft_request(email, settings, form, &id, date).len() {
            bytes if bytes > limits::GRAPH_REQUEST_BYTES_MAX => Fit::TooLarge(bytes),
            _ => Fit::Draft,
        }
    }

    pub fn form(&self) -> PayloadForm {
        self.form
    }

    /// What is wrong with a payload that Graph does not take, not even in pieces.
    pub(crate) fn too_large(&self) -> Option<Finding> {
        let bytes = match &self.shape {
            Shape::Request(body) => body.len(),
            Shape::Draft(draft) => draft.create.len(),
        };
        (bytes > limits::GRAPH_REQUEST_BYTES_MAX).then(|| {
            Finding::new(FindingCode::MessageTooLarge)
                .with("request_bytes", bytes)
                .with("limit_bytes", limits::GRAPH_REQUEST_BYTES_MAX)
        })
    }
}

fn mime_request(
    email: &Email,
    settings: &SettingsValues,
    message_id: &str,
    date: Timestamp,
    extent: Extent,
) -> Bytes {
    BASE64.encode(&mime::build(email, settings, message_id, date, extent)).into()
}

fn draft_request(
    email: &Email,
    settings: &SettingsValues,
    form: PayloadForm,
    message_id: &str,
    date: Timestamp,
) -> Bytes {
    match form {
        PayloadForm::Mime => mime_request(email, settings, message_id, date, Extent::WithoutFiles),
        PayloadForm::Json => json::draft(email, settings, message_id).into(),
    }
}

/// Bytes of the one request: what stands around the files, and what their contents take.
fn request_len(
    email: &Email,
    settings: &SettingsValues,
    form: PayloadForm,
    message_id: &str,
    date: Timestamp,
) -> usize {
    match form {
        PayloadForm::Mime => {
            let boundaries = Boundaries::of(message_id);
            let around = mime::build(email, settings, message_id, date, Extent::WithoutContents).len();
            let contents = email.attachments.iter().map(|file| part::encoded_len(file, &boundaries));
            BASE64.encode_len(around + contents.sum::<usize>())
        }
        PayloadForm::Json => {
            let around = json::build(email, settings, false).len();
            let contents = email.attachments.iter().map(|file| BASE64.encode_len(file.content.len()));
            around + contents.sum::<usize>()
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match &self.shape {
            Shape::Request(_) => "request",
            Shape::Draft(_) => "draft",
        };
        f.debug_struct("Payload").field("form", &self.form).field("shape", &shape).finish_non_exhaustive()
    }
}

/// `<id@domain>`: the same for every attempt of a message.
pub fn internet_message_id(message: MessageId, mailbox: &EmailAddress) -> String {
    format!("<{message}@{}>", mailbox.domain())
}

#[cfg(test)]
mod tests;
