from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FindingClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINDING_CLASS_UNSPECIFIED: _ClassVar[FindingClass]
    FINDING_CLASS_SETTINGS: _ClassVar[FindingClass]
    FINDING_CLASS_MESSAGE: _ClassVar[FindingClass]
    FINDING_CLASS_LIMIT: _ClassVar[FindingClass]
    FINDING_CLASS_OUTAGE: _ClassVar[FindingClass]
    FINDING_CLASS_IN_DOUBT: _ClassVar[FindingClass]
    FINDING_CLASS_ADVICE: _ClassVar[FindingClass]
FINDING_CLASS_UNSPECIFIED: FindingClass
FINDING_CLASS_SETTINGS: FindingClass
FINDING_CLASS_MESSAGE: FindingClass
FINDING_CLASS_LIMIT: FindingClass
FINDING_CLASS_OUTAGE: FindingClass
FINDING_CLASS_IN_DOUBT: FindingClass
FINDING_CLASS_ADVICE: FindingClass

class Finding(_message.Message):
    __slots__ = ("code", "title", "explanation", "mend", "evidence", "docs_url")
    class EvidenceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    MEND_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    DOCS_URL_FIELD_NUMBER: _ClassVar[int]
    code: str
    title: str
    explanation: str
    mend: str
    evidence: _containers.ScalarMap[str, str]
    docs_url: str
    def __init__(self, code: _Optional[str] = ..., title: _Optional[str] = ..., explanation: _Optional[str] = ..., mend: _Optional[str] = ..., evidence: _Optional[_Mapping[str, str]] = ..., docs_url: _Optional[str] = ..., **kwargs) -> None: ...
