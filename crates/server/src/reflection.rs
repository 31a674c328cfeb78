//! Reflection, in both versions: our API with its comments, health, and the types of error details.

use postrider_domain::limits::PROBE_BYTES_MAX;
use tonic::service::Routes;
use tonic_reflection::server::{Builder, Error};

/// An error means that a descriptor set that was compiled in does not decode.
pub(crate) fn add_reflection(routes: Routes) -> Result<Routes, Error> {
    let described = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(postrider_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = described().build_v1()?.max_decoding_message_size(PROBE_BYTES_MAX);
    let v1alpha = described().build_v1alpha()?.max_decoding_message_size(PROBE_BYTES_MAX);
    Ok(routes.add_service(v1).add_service(v1alpha))
}
