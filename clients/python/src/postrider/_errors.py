"""What a failed call raises: the service's reason, its message, and all violated fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class Violation:
    """One field that is wrong, by its path from the request: `email.to[1].address`."""

    field: str
    description: str


class PostriderError(grpc.RpcError):  # type: ignore[misc]
    """A call that failed. It is a `grpc.RpcError` too, with its `code()` and `details()`."""

    reason: str
    """The service's own name for what is wrong, such as `INVALID_REQUEST` or `QUEUE_FULL`. Empty where the answer did
    not come from the service, but from the network before it."""
    message: str
    """For people."""
    violations: tuple[Violation, ...]
    """All fields that are wrong, where the reason is `INVALID_REQUEST`."""
    metadata: Mapping[str, str]
    """What the reason comes with, such as `limit_bytes` or `message_id`."""
    request_id: str
    """Names the call in the service's log."""
    retry_delay: timedelta | None
    """How long to wait before the call is made again; None where the service did not say."""
    status: status_pb2.Status
    """The whole status, with details that have no attribute here."""

    def __init__(self, code: grpc.StatusCode, message: str, status: status_pb2.Status) -> None:
        self._code = code
        self.message = message
        self.status = status
        self.reason, self.metadata, self.request_id = "", {}, ""
        self.violations, self.retry_delay = (), None
        for detail in status.details:
            self._read(detail)
        super().__init__(str(self))

    def _read(self, detail: Any) -> None:
        if (info := _unpacked(detail, error_details_pb2.ErrorInfo)) is not None:
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif (request := _unpacked(detail, error_details_pb2.RequestInfo)) is not None:
            self.request_id = request.request_id
        elif (retry := _unpacked(detail, error_details_pb2.RetryInfo)) is not None:
            self.retry_delay = retry.retry_delay.ToTimedelta()
        elif (bad := _unpacked(detail, error_details_pb2.BadRequest)) is not None:
            self.violations = tuple(Violation(one.field, one.description) for one in bad.field_violations)

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self.message

    def __str__(self) -> str:
        text = f"{self.reason or self._code.name}: {self.message}"
        text += "".join(f"; {one.field}: {one.description}" for one in self.violations)
        return text + (f" (request {self.request_id})" if self.request_id else "")


def from_rpc(error: grpc.RpcError) -> PostriderError:
    """Reads what grpcio raised, by its synchronous or its asyncio API."""
    if isinstance(error, PostriderError):
        return error
    status = status_pb2.Status()
    trailers: Iterable[tuple[str, bytes]] = error.trailing_metadata() or ()
    for key, value in trailers:
        if key == _DETAILS:
            status.ParseFromString(value)
    return PostriderError(error.code(), error.details() or "", status)


def _unpacked(detail: Any, kind: Any) -> Any:
    message = kind()
    return message if detail.Unpack(message) else None
