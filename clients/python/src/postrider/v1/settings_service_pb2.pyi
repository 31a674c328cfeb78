import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from postrider.v1 import finding_pb2 as _finding_pb2
from postrider.v1 import settings_pb2 as _settings_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TestLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEST_LEVEL_UNSPECIFIED: _ClassVar[TestLevel]
    TEST_LEVEL_TOKEN: _ClassVar[TestLevel]
    TEST_LEVEL_SEND: _ClassVar[TestLevel]

class TestStep(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEST_STEP_UNSPECIFIED: _ClassVar[TestStep]
    TEST_STEP_SHAPE: _ClassVar[TestStep]
    TEST_STEP_DIRECTORY: _ClassVar[TestStep]
    TEST_STEP_CREDENTIAL: _ClassVar[TestStep]
    TEST_STEP_PERMISSION: _ClassVar[TestStep]
    TEST_STEP_SEND: _ClassVar[TestStep]

class TestStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEST_STATUS_UNSPECIFIED: _ClassVar[TestStatus]
    TEST_STATUS_PASSED: _ClassVar[TestStatus]
    TEST_STATUS_WARNED: _ClassVar[TestStatus]
    TEST_STATUS_FAILED: _ClassVar[TestStatus]
    TEST_STATUS_SKIPPED: _ClassVar[TestStatus]
TEST_LEVEL_UNSPECIFIED: TestLevel
TEST_LEVEL_TOKEN: TestLevel
TEST_LEVEL_SEND: TestLevel
TEST_STEP_UNSPECIFIED: TestStep
TEST_STEP_SHAPE: TestStep
TEST_STEP_DIRECTORY: TestStep
TEST_STEP_CREDENTIAL: TestStep
TEST_STEP_PERMISSION: TestStep
TEST_STEP_SEND: TestStep
TEST_STATUS_UNSPECIFIED: TestStatus
TEST_STATUS_PASSED: TestStatus
TEST_STATUS_WARNED: TestStatus
TEST_STATUS_FAILED: TestStatus
TEST_STATUS_SKIPPED: TestStatus

class TestStepResult(_message.Message):
    __slots__ = ("name", "status", "findings", "duration", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: TestStep
    status: TestStatus
    findings: _containers.RepeatedCompositeFieldContainer[_finding_pb2.Finding]
    duration: _duration_pb2.Duration
    detail: str
    def __init__(self, name: _Optional[_Union[TestStep, str]] = ..., status: _Optional[_Union[TestStatus, str]] = ..., findings: _Optional[_Iterable[_Union[_finding_pb2.Finding, _Mapping]]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...

class PutSettingsRequest(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _settings_pb2.Settings
    def __init__(self, settings: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ...) -> None: ...

class PutSettingsResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _settings_pb2.Settings
    def __init__(self, settings: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ...) -> None: ...

class GetSettingsRequest(_message.Message):
    __slots__ = ("reseller",)
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    def __init__(self, reseller: _Optional[str] = ...) -> None: ...

class GetSettingsResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _settings_pb2.Settings
    def __init__(self, settings: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ...) -> None: ...

class ListSettingsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "status", "expiring_within")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_WITHIN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    status: _settings_pb2.SettingsState
    expiring_within: _duration_pb2.Duration
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., status: _Optional[_Union[_settings_pb2.SettingsState, str]] = ..., expiring_within: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListSettingsResponse(_message.Message):
    __slots__ = ("settings", "next_page_token")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.RepeatedCompositeFieldContainer[_settings_pb2.Settings]
    next_page_token: str
    def __init__(self, settings: _Optional[_Iterable[_Union[_settings_pb2.Settings, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSettingsRequest(_message.Message):
    __slots__ = ("reseller", "etag", "cancel_unfinished")
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CANCEL_UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    etag: str
    cancel_unfinished: bool
    def __init__(self, reseller: _Optional[str] = ..., etag: _Optional[str] = ..., cancel_unfinished: _Optional[bool] = ...) -> None: ...

class DeleteSettingsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TestSettingsRequest(_message.Message):
    __slots__ = ("reseller", "candidate", "level", "recipient", "request_id")
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    candidate: _settings_pb2.Settings
    level: TestLevel
    recipient: str
    request_id: str
    def __init__(self, reseller: _Optional[str] = ..., candidate: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ..., level: _Optional[_Union[TestLevel, str]] = ..., recipient: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TestSettingsResponse(_message.Message):
    __slots__ = ("passed", "steps", "message_id")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    steps: _containers.RepeatedCompositeFieldContainer[TestStepResult]
    message_id: str
    def __init__(self, passed: _Optional[bool] = ..., steps: _Optional[_Iterable[_Union[TestStepResult, _Mapping]]] = ..., message_id: _Optional[str] = ...) -> None: ...

class WatchSettingsTestRequest(_message.Message):
    __slots__ = ("reseller", "candidate", "level", "recipient", "request_id")
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    candidate: _settings_pb2.Settings
    level: TestLevel
    recipient: str
    request_id: str
    def __init__(self, reseller: _Optional[str] = ..., candidate: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ..., level: _Optional[_Union[TestLevel, str]] = ..., recipient: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class WatchSettingsTestResponse(_message.Message):
    __slots__ = ("began", "ended", "result")
    BEGAN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    began: TestStep
    ended: TestStepResult
    result: TestSettingsResponse
    def __init__(self, began: _Optional[_Union[TestStep, str]] = ..., ended: _Optional[_Union[TestStepResult, _Mapping]] = ..., result: _Optional[_Union[TestSettingsResponse, _Mapping]] = ...) -> None: ...

class PauseSendingRequest(_message.Message):
    __slots__ = ("reseller", "reason")
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    reason: str
    def __init__(self, reseller: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PauseSendingResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _settings_pb2.Settings
    def __init__(self, settings: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ...) -> None: ...

class ResumeSendingRequest(_message.Message):
    __slots__ = ("reseller", "reason")
    RESELLER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    reseller: str
    reason: str
    def __init__(self, reseller: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeSendingResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _settings_pb2.Settings
    def __init__(self, settings: _Optional[_Union[_settings_pb2.Settings, _Mapping]] = ...) -> None: ...
