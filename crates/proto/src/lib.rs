//! Generated types of the API and its descriptor set.
//!
//! The files under `proto/` at the top of the repository are the source; `cargo xtask proto` makes what lies in
//! `src/generated`, and `tests/fresh.rs` fails when the two differ. Nothing there is edited by hand.
//!
//! Rules
//! - `google.rpc.Status` is tonic-types' own type, times and spans are prost-types', `bytes` fields are
//!   [`prost::bytes::Bytes`], and maps are `BTreeMap`, so that the same message always has the same bytes.
//! - `Debug` of a message prints no secret, no body and no address: `src/redacted.rs`.
//!
//! Knows no sibling crate. Read first: `proto/postrider/v1/mail_service.proto`.

mod redacted;

/// Messages, clients (`mail_service_client`, …) and servers (`mail_service_server`, …) of `postrider.v1`.
pub mod v1 {
    #![expect(
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code, whose form is the generator's"
    )]
    include!("generated/postrider.v1.rs");
}

/// The encoded `FileDescriptorSet` of `postrider.v1` with its comments, of all it imports, and of
/// `google.rpc`'s error details, for reflection and for protobuf's JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptor_set.bin");
