"""When a call is made again, and how it can be: one place for both clients."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import grpc

from postrider import v1
from postrider._errors import PostriderError

_BACKOFF_FIRST = 0.1
_BACKOFF_MOST = 5.0

# RPCs that must not be made twice when it is not known whether the first one was carried out. All others only read,
# come to the same when repeated, or carry a request_id.
_NOT_REPEATABLE = {"CreateKey", "PutSettings", "DeleteSettings", "RetryMessage", "RetryMessages"}

# How a stream ends that was cut: by the network, by a proxy, or by our own impatience with its silence.
_CUT = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}


class Deadline:
    """What is left of a call's time, repeats and waits included."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def allows(self, delay: float) -> bool:
        left = self.left()
        return left is None or delay < left


def delay_before_repeat(rpc: str, error: PostriderError, attempt: int) -> float | None:
    """Seconds to wait before the call is made again. None: it must not be."""
    unknown = error.reason in ("", "COMMIT_UNKNOWN")
    if unknown and rpc in _NOT_REPEATABLE:
        return None
    if error.retry_delay is not None:
        return _jittered(error.retry_delay.total_seconds())
    if not error.reason and error.code() is grpc.StatusCode.UNAVAILABLE:
        return _growing(attempt)
    return None


def delay_before_resume(error: PostriderError | None, attempt: int) -> float | None:
    """The same for a broken watch; `error` is None where the stream ended without one."""
    if error is None or (not error.reason and error.code() in _CUT):
        return _growing(attempt)
    return delay_before_repeat("WatchMessages", error, attempt)


def with_request_id(request: Any) -> Any:
    """The request, or a copy that may be repeated: the caller's own may be used for another mail."""
    if isinstance(request, v1.BatchSendMailRequest):
        batch = v1.BatchSendMailRequest()
        batch.CopyFrom(request)
        for item in batch.requests:
            item.request_id = item.request_id or str(uuid.uuid4())
        return batch
    if (
        isinstance(request, (v1.SendMailRequest, v1.TestSettingsRequest, v1.WatchSettingsTestRequest))
        and not request.request_id
    ):
        copy = type(request)()
        copy.CopyFrom(request)  # type: ignore[arg-type]
        copy.request_id = str(uuid.uuid4())
        return copy
    return request


def _growing(attempt: int) -> float:
    return _jittered(min(_BACKOFF_FIRST * 2 ** min(attempt, 10), _BACKOFF_MOST))


def _jittered(delay: float) -> float:
    """Never shorter, for the service's word is a least, and up to a fifth longer: callers do not come all at once."""
    return delay * random.uniform(1.0, 1.2)
