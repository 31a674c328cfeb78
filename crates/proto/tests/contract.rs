//! The API as a client meets it through reflection: every RPC is there, and every name explains itself.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
};
use protox::prost_reflect::{DescriptorError, DescriptorPool, FieldDescriptor};

const PACKAGE: &str = "postrider.v1";

/// Field numbers of `FileDescriptorProto` and its parts, of which the path to a comment is made.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const SERVICES: i32 = 6;
const FIELDS_OR_VALUES_OR_METHODS: i32 = 2;
const ONEOFS: i32 = 8;

fn files() -> Result<Vec<FileDescriptorProto>, prost::DecodeError> {
    Ok(FileDescriptorSet::decode(postrider_proto::FILE_DESCRIPTOR_SET)?.file)
}

fn pool() -> Result<DescriptorPool, DescriptorError> {
    DescriptorPool::decode(postrider_proto::FILE_DESCRIPTOR_SET)
}

/// The path and the name of all that wants a comment in one message, without what proto3 makes by itself: the entries of
/// maps, and the oneofs of optional fields.
fn of_message(index: i32, message: &DescriptorProto) -> Vec<(Vec<i32>, String)> {
    let generated = |i: i32| message.field.iter().any(|f| f.proto3_optional() && f.oneof_index == Some(i));
    let fields = (0..).zip(&message.field).map(|(i, f)| (FIELDS_OR_VALUES_OR_METHODS, i, f.name()));
    let oneofs = (0..).zip(&message.oneof_decl).filter(|(i, _)| !generated(*i));
    let oneofs = oneofs.map(|(i, oneof)| (ONEOFS, i, oneof.name()));
    let parts = fields.chain(oneofs);
    let parts =
        parts.map(|(kind, i, name)| (vec![MESSAGES, index, kind, i], format!("{}.{name}", message.name())));
    parts.chain([(vec![MESSAGES, index], message.name().to_owned())]).collect()
}

fn of_enum(index: i32, of: &EnumDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let values = (0..).zip(&of.value);
    let values =
        values.map(|(i, v)| (vec![ENUMS, index, FIELDS_OR_VALUES_OR_METHODS, i], v.name().to_owned()));
    values.chain([(vec![ENUMS, index], of.name().to_owned())]).collect()
}

fn of_services(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut found = Vec::new();
    for (index, service) in (0..).zip(&file.service) {
        found.push((vec![SERVICES, index], service.name().to_owned()));
        for (i, method) in (0..).zip(&service.method) {
            found.push((vec![SERVICES, index, FIELDS_OR_VALUES_OR_METHODS, i], method.name().to_owned()));
        }
    }
    found
}

#[test]
fn every_name_has_a_comment() {
    let mut bare = Vec::new();
    let mut seen = 0;
    for file in files().unwrap().iter().filter(|file| file.package() == PACKAGE) {
        let locations =
            file.source_code_info.as_ref().map(|info| info.location.as_slice()).unwrap_or_default();
        let comments: BTreeMap<&[i32], &str> =
            locations.iter().map(|l| (l.path.as_slice(), l.leading_comments().trim())).collect();
        let messages = (0..).zip(&file.message_type).flat_map(|(i, message)| of_message(i, message));
        let enums = (0..).zip(&file.enum_type).flat_map(|(i, of)| of_enum(i, of));
        for (path, name) in messages.chain(enums).chain(of_services(file)) {
            seen += 1;
            if comments.get(path.as_slice()).is_none_or(|comment| comment.len() < 4) {
                bare.push(format!("{}: {name}", file.name()));
            }
        }
    }
    assert!(seen > 250, "only {seen} names found: the walk misses some");
    assert!(bare.is_empty(), "no comment: {bare:#?}");
}

#[test]
fn nothing_is_nested_and_the_six_files_hold_all() {
    let files: Vec<_> = files().unwrap().into_iter().filter(|file| file.package() == PACKAGE).collect();
    let names: BTreeSet<_> = files.iter().map(FileDescriptorProto::name).collect();
    let expected = ["access_service", "finding", "mail_service", "message", "settings", "settings_service"];
    assert_eq!(
        names,
        expected.map(|name| format!("postrider/v1/{name}.proto")).iter().map(String::as_str).collect()
    );
    for message in files.iter().flat_map(|file| &file.message_type) {
        let mut nested =
            message.nested_type.iter().filter(|n| !n.options.as_ref().is_some_and(MessageOptions::map_entry));
        assert!(nested.next().is_none() && message.enum_type.is_empty(), "nested in {}", message.name());
    }
}

#[test]
fn every_rpc_of_the_contract_exists_with_its_own_request_and_response() {
    let contract = [
        "AccessService: CreateKey ListKeys RevokeKey ListAuditEvents",
        "MailService: SendMail BatchSendMail GetMessage ListMessages WatchMessages CancelMessage RetryMessage \
         RetryMessages",
        "SettingsService: PutSettings GetSettings ListSettings DeleteSettings TestSettings WatchSettingsTest \
         PauseSending ResumeSending",
    ];
    let pool = pool().unwrap();
    let mut served: Vec<_> = pool.services().filter(|service| service.package_name() == PACKAGE).collect();
    served.sort_by_key(|service| service.name().to_owned());
    let said = served.iter().map(|service| {
        let methods: Vec<_> = service.methods().map(|method| method.name().to_owned()).collect();
        format!("{}: {}", service.name(), methods.join(" "))
    });
    assert_eq!(said.collect::<Vec<_>>(), contract);
    for method in served.iter().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        assert_eq!(method.input().name(), format!("{}Request", method.name()));
        assert_eq!(method.output().name(), format!("{}Response", method.name()));
        assert!(!method.is_client_streaming());
        assert_eq!(method.is_server_streaming(), method.name().starts_with("Watch"));
    }
}

#[test]
fn every_field_says_how_it_is_used() {
    let pool = pool().unwrap();
    let behavior = pool.get_extension_by_name("google.api.field_behavior").unwrap();
    let messages = pool.all_messages().filter(|m| m.package_name() == PACKAGE && !m.is_map_entry());
    let fields = messages.flat_map(|message| message.fields().collect::<Vec<FieldDescriptor>>());
    let silent: Vec<_> = fields.filter(|field| !field.options().has_extension(&behavior)).collect();
    assert!(silent.is_empty(), "no field_behavior: {silent:#?}");
}

#[test]
fn reflection_can_decode_error_details() {
    let pool = pool().unwrap();
    for name in [
        "Status",
        "ErrorInfo",
        "BadRequest",
        "PreconditionFailure",
        "QuotaFailure",
        "RetryInfo",
        "RequestInfo",
    ] {
        assert!(pool.get_message_by_name(&format!("google.rpc.{name}")).is_some(), "google.rpc.{name}");
    }
}
