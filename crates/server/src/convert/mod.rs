//! The one place that knows both the wire and the domain. `from_proto` reads, `to_proto` writes; nothing else does.

pub(crate) mod canonical;
pub(crate) mod content;
pub(crate) mod from_proto;
pub(crate) mod page;
mod settings;
pub(crate) mod to_proto;

pub(crate) use settings::{Candidate, CredentialInput, candidate, settings_draft};
