import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postrider.v1 import finding_pb2 as _finding_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Cloud(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOUD_UNSPECIFIED: _ClassVar[Cloud]
    CLOUD_GLOBAL: _ClassVar[Cloud]
    CLOUD_US_GOV_HIGH: _ClassVar[Cloud]
    CLOUD_US_GOV_DOD: _ClassVar[Cloud]
    CLOUD_CHINA: _ClassVar[Cloud]

class CredentialKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDENTIAL_KIND_UNSPECIFIED: _ClassVar[CredentialKind]
    CREDENTIAL_KIND_CLIENT_SECRET: _ClassVar[CredentialKind]
    CREDENTIAL_KIND_CERTIFICATE: _ClassVar[CredentialKind]
    CREDENTIAL_KIND_FEDERATED: _ClassVar[CredentialKind]

class SettingsState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SETTINGS_STATE_UNSPECIFIED: _ClassVar[SettingsState]
    SETTINGS_STATE_READY: _ClassVar[SettingsState]
    SETTINGS_STATE_UNTESTED: _ClassVar[SettingsState]
    SETTINGS_STATE_PAUSED: _ClassVar[SettingsState]
CLOUD_UNSPECIFIED: Cloud
CLOUD_GLOBAL: Cloud
CLOUD_US_GOV_HIGH: Cloud
CLOUD_US_GOV_DOD: Cloud
CLOUD_CHINA: Cloud
CREDENTIAL_KIND_UNSPECIFIED: CredentialKind
CREDENTIAL_KIND_CLIENT_SECRET: CredentialKind
CREDENTIAL_KIND_CERTIFICATE: CredentialKind
CREDENTIAL_KIND_FEDERATED: CredentialKind
SETTINGS_STATE_UNSPECIFIED: SettingsState
SETTINGS_STATE_READY: SettingsState
SETTINGS_STATE_UNTESTED: SettingsState
SETTINGS_STATE_PAUSED: SettingsState

class ClientSecret(_message.Message):
    __slots__ = ("value", "expire_time")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    value: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, value: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("pem", "pfx", "passphrase", "send_chain")
    PEM_FIELD_NUMBER: _ClassVar[int]
    PFX_FIELD_NUMBER: _ClassVar[int]
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    SEND_CHAIN_FIELD_NUMBER: _ClassVar[int]
    pem: str
    pfx: bytes
    passphrase: str
    send_chain: bool
    def __init__(self, pem: _Optional[str] = ..., pfx: _Optional[bytes] = ..., passphrase: _Optional[str] = ..., send_chain: _Optional[bool] = ...) -> None: ...

class FederatedCredential(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    def __init__(self, source: _Optional[str] = ...) -> None: ...

class CredentialInfo(_message.Message):
    __slots__ = ("kind", "fingerprint", "version", "create_time", "expire_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: CredentialKind
    fingerprint: str
    version: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[CredentialKind, str]] = ..., fingerprint: _Optional[str] = ..., version: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Pace(_message.Message):
    __slots__ = ("concurrency", "messages_per_minute", "recipients_per_day")
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    concurrency: int
    messages_per_minute: int
    recipients_per_day: int
    def __init__(self, concurrency: _Optional[int] = ..., messages_per_minute: _Optional[int] = ..., recipients_per_day: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("recipients_last_day", "queued_messages")
    RECIPIENTS_LAST_DAY_FIELD_NUMBER: _ClassVar[int]
    QUEUED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    recipients_last_day: int
    queued_messages: int
    def __init__(self, recipients_last_day: _Optional[int] = ..., queued_messages: _Optional[int] = ...) -> None: ...

class SettingsStatus(_message.Message):
    __slots__ = ("state", "finding")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    state: SettingsState
    finding: _finding_pb2.Finding
    def __init__(self, state: _Optional[_Union[SettingsState, str]] = ..., finding: _Optional[_Union[_finding_pb2.Finding, _Mapping]] = ...) -> None: ...

class Settings(_message.Message):
    __slots__ = ("reseller", "tenant_id", "client_id", "client_secret", "certificate", "federated", "credential_info", "sender_mailbox", "cloud", "status", "send_as", "pace", "usage", "etag", "labels", "update_time")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    FEDERATED_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_INFO_FIELD_NUMBER: _ClassVar[int]
    SENDER_MAILBOX_FIELD_NUMBER: _ClassVar[int]
    CLOUD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEND_AS_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    tenant_id: str
    client_id: str
    client_secret: ClientSecret
    certificate: Certificate
    federated: FederatedCredential
    credential_info: CredentialInfo
    sender_mailbox: str
    cloud: Cloud
    status: SettingsStatus
    send_as: _containers.RepeatedScalarFieldContainer[str]
    pace: Pace
    usage: Usage
    etag: str
    labels: _containers.ScalarMap[str, str]
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, reseller: _Optional[str] = ..., tenant_id: _Optional[str] = ..., client_id: _Optional[str] = ..., client_secret: _Optional[_Union[ClientSecret, _Mapping]] = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ..., federated: _Optional[_Union[FederatedCredential, _Mapping]] = ..., credential_info: _Optional[_Union[CredentialInfo, _Mapping]] = ..., sender_mailbox: _Optional[str] = ..., cloud: _Optional[_Union[Cloud, str]] = ..., status: _Optional[_Union[SettingsStatus, _Mapping]] = ..., send_as: _Optional[_Iterable[str]] = ..., pace: _Optional[_Union[Pace, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., etag: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
