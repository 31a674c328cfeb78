//! The one place that knows both the wire and the domain. `from_proto` reads, `to_proto` writes; nothing else does.

pub(crate) mod canonical;
pub(crate) mod content;
mod credential;
pub(crate) mod from_proto;
pub(crate) mod page;
mod settings;
pub(crate) mod to_proto;

pub(crate) use credential::{CredentialInput, credential};
pub(crate) use settings::{Candidate, candidate, settings_draft};
