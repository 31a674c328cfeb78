"""A small Postrider with TLS: it answers each call with the next of its failures, and well when none is left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from postrider import v1
from postrider.v1 import access_service_pb2_grpc, mail_service_pb2_grpc, settings_service_pb2_grpc

TLS = Path(__file__).parents[2] / "testdata"


def retry_after(seconds: float) -> Any:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromTimedelta(timedelta(seconds=seconds))
    return info


class Refusal(grpc.Status):  # type: ignore[misc]
    def __init__(self, code: grpc.StatusCode, reason: str = "", *details: Any) -> None:
        self.code, self.details, self.trailing_metadata = code, "no", ()
        if not reason:
            return
        whole = status_pb2.Status(code=code.value[0], message="no")
        known = error_details_pb2.ErrorInfo(reason=reason, domain="postrider", metadata={"message_id": "m1"})
        for detail in (*details, known, error_details_pb2.RequestInfo(request_id="r1")):
            packed = AnyMessage()
            packed.Pack(detail)
            whole.details.append(packed)
        self.trailing_metadata = (("grpc-status-details-bin", whole.SerializeToString()),)


class Service(  # type: ignore[misc]
    mail_service_pb2_grpc.MailServiceServicer,
    settings_service_pb2_grpc.SettingsServiceServicer,
    access_service_pb2_grpc.AccessServiceServicer,
):
    def __init__(self, *failures: Refusal | None) -> None:
        self.failures = list(failures)
        self.request_ids: list[str] = []
        self.cursors: list[str] = []
        self.shown: list[Any] = []
        self.created = 0
        self._server = grpc.server(ThreadPoolExecutor(4))
        mail_service_pb2_grpc.add_MailServiceServicer_to_server(self, self._server)
        settings_service_pb2_grpc.add_SettingsServiceServicer_to_server(self, self._server)
        access_service_pb2_grpc.add_AccessServiceServicer_to_server(self, self._server)
        pair = ((TLS / "server-key.pem").read_bytes(), (TLS / "server.pem").read_bytes())
        self.url = (
            f"https://127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials([pair]))}"
        )

    def __enter__(self) -> Service:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def _next(self, context: Any) -> None:
        self.shown.append(dict(context.invocation_metadata()).get("authorization"))
        if self.failures and (failure := self.failures.pop(0)) is not None:
            context.abort_with_status(failure)

    def SendMail(self, request: v1.SendMailRequest, context: Any) -> v1.SendMailResponse:
        self.request_ids.append(request.request_id)
        self._next(context)
        return v1.SendMailResponse(message=v1.Message(message_id="m1"))

    def CreateKey(self, request: v1.CreateKeyRequest, context: Any) -> v1.CreateKeyResponse:
        self.created += 1
        self._next(context)
        return v1.CreateKeyResponse()

    def WatchMessages(self, request: v1.WatchMessagesRequest, context: Any) -> Any:
        """Says one cursor and one event, then breaks off; at cursor `silent` it says nothing, the first time."""
        self.cursors.append(request.cursor)
        if request.cursor == "silent" and len(self.cursors) == 1:
            gone = threading.Event()
            context.add_callback(gone.set)
            gone.wait()
            return
        following = {"": "1", "1": "2", "silent": "3"}[request.cursor]
        yield v1.WatchMessagesResponse(cursor=request.cursor)
        yield v1.WatchMessagesResponse(cursor=following, message=v1.Message(message_id=f"m{following}"))
        self._next(context)

    def WatchSettingsTest(self, request: v1.WatchSettingsTestRequest, context: Any) -> Any:
        """One step, and the result."""
        self.request_ids.append(request.request_id)
        self._next(context)
        yield v1.WatchSettingsTestResponse(began=v1.TEST_STEP_SHAPE)
        yield v1.WatchSettingsTestResponse(result=v1.TestSettingsResponse(passed=True))
