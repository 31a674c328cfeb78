//! Every RPC there is, by the descriptor set, and requests that have one text in every field.

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

/// No oneof of the API has more of them.
const ARMS_MAX: usize = 3;

/// Every RPC of the API by its path, with its request.
pub(crate) fn every_rpc() -> Vec<(String, MessageDescriptor)> {
    let pool = DescriptorPool::decode(postrider_proto::FILE_DESCRIPTOR_SET).unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "postrider.v1");
    let methods = ours.flat_map(|service| service.methods().collect::<Vec<_>>());
    let path = |service: &str, method: &str| format!("/{service}/{method}");
    methods.map(|method| (path(method.parent_service().full_name(), method.name()), method.input())).collect()
}

/// Every text and all bytes of a request are this one, but for the reseller: with each arm of its oneofs in turn.
pub(crate) fn planted(request: &MessageDescriptor, text: &str) -> Vec<Vec<u8>> {
    (0..ARMS_MAX).map(|arm| filled(request, text, arm).encode_to_vec()).collect()
}

fn filled(of: &MessageDescriptor, text: &str, arm: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields().filter(|field| is_arm(field, arm)) {
        let one = one(&field, text, arm);
        let value = if field.is_map() {
            Value::Map([(MapKey::String("x-note".to_owned()), one)].into())
        } else if field.is_list() {
            Value::List(vec![one])
        } else {
            one
        };
        message.set_field(&field, value);
    }
    message
}

fn is_arm(field: &FieldDescriptor, arm: usize) -> bool {
    field.containing_oneof().is_none_or(|oneof| {
        let arms: Vec<_> = oneof.fields().collect();
        assert!(arms.len() <= ARMS_MAX, "{} has more arms", oneof.full_name());
        arms[arm % arms.len()] == *field
    })
}

fn one(field: &FieldDescriptor, text: &str, arm: usize) -> Value {
    match field.kind() {
        Kind::String if field.name() == "reseller" => Value::String("acme".to_owned()),
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
        Kind::Message(entry) if field.is_map() => one(&entry.map_entry_value_field(), text, arm),
        Kind::Message(of) => Value::Message(filled(&of, text, arm)),
        kind => Value::default_value(&kind),
    }
}
