//! Makes what is checked in under `crates/proto/src/generated` from the files under `proto/`, without protoc.
//!
//! One file for two readers: `cargo xtask proto` writes what it returns, `tests/fresh.rs` compares it.

use std::path::Path;
use std::{fs, io};

use protox::Compiler;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, Value};
use tonic_prost_build::{Config, FileDescriptorSet};

/// The API's own files.
const API: [&str; 6] = [
    "postrider/v1/finding.proto",
    "postrider/v1/message.proto",
    "postrider/v1/settings.proto",
    "postrider/v1/mail_service.proto",
    "postrider/v1/settings_service.proto",
    "postrider/v1/access_service.proto",
];

/// Not imported by the API, but its errors carry these as `Any`: reflection must know them.
const ERROR_DETAILS: &str = "google/rpc/error_details.proto";

/// Messages whose `Debug` would print a secret or a mail; `src/redacted.rs` has theirs.
const REDACTED: [&str; 7] = [
    ".postrider.v1.Address",
    ".postrider.v1.Attachment",
    ".postrider.v1.Certificate",
    ".postrider.v1.ClientSecret",
    ".postrider.v1.CreateKeyResponse",
    ".postrider.v1.Email",
    ".postrider.v1.Message",
];

type Error = Box<dyn std::error::Error + Send + Sync>;

/// One file of the generated folder.
pub(crate) struct Generated {
    pub(crate) name: &'static str,
    pub(crate) content: Vec<u8>,
}

/// Compiles the files under `proto` into all files of the generated folder. `scratch` is an empty folder to work in.
pub(crate) fn generate(proto: &Path, scratch: &Path) -> Result<[Generated; 2], Error> {
    let mut compiler = Compiler::new([proto])?;
    compiler.include_imports(true).include_source_info(true);
    for file in API.into_iter().chain([ERROR_DETAILS]) {
        compiler.open_file(file)?;
    }
    let code = code(compiler.file_descriptor_set(), scratch)?;
    let set = descriptor_set(&compiler.descriptor_pool(), &compiler.encode_file_descriptor_set())?;
    Ok([
        Generated { name: "postrider.v1.rs", content: code },
        Generated { name: "descriptor_set.bin", content: set },
    ])
}

/// Messages, clients and servers of `postrider.v1`. What the imports make stays in `scratch`: their types are those of
/// prost-types and tonic-types.
fn code(set: FileDescriptorSet, scratch: &Path) -> io::Result<Vec<u8>> {
    let mut config = Config::new();
    config.extern_path(".google.rpc.Status", "::tonic_types::Status");
    config.bytes(["."]).btree_map(["."]).skip_debug(REDACTED);
    tonic_prost_build::configure().out_dir(scratch).compile_fds_with_config(set, config)?;
    fs::read(scratch.join("postrider.v1.rs"))
}

/// The descriptor set that reflection serves: options as written (a decoded `FileDescriptorSet` would drop
/// `field_behavior`), and of the source info our own comments and nothing else.
fn descriptor_set(pool: &DescriptorPool, encoded: &[u8]) -> Result<Vec<u8>, Error> {
    let shape = pool
        .get_message_by_name("google.protobuf.FileDescriptorSet")
        .ok_or("the API imports no file that imports descriptor.proto")?;
    let mut set = DynamicMessage::decode(shape, encoded)?;
    let files = set.get_field_by_name_mut("file").and_then(Value::as_list_mut);
    for file in files.into_iter().flatten().filter_map(Value::as_message_mut) {
        let name = file.get_field_by_name("name").and_then(|name| name.as_str().map(str::to_owned));
        if !name.is_some_and(|name| API.contains(&name.as_str())) {
            file.clear_field_by_name("source_code_info");
        } else if let Some(info) =
            file.get_field_by_name_mut("source_code_info").and_then(Value::as_message_mut)
        {
            keep_comments(info);
        }
    }
    Ok(protox::prost::Message::encode_to_vec(&set))
}

fn keep_comments(info: &mut DynamicMessage) {
    if let Some(locations) = info.get_field_by_name_mut("location").and_then(Value::as_list_mut) {
        locations.retain(|location| {
            location.as_message().is_some_and(|l| l.has_field_by_name("leading_comments"))
        });
    }
}
