"""The client for asyncio. `postrider.client` is the same for threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any, Self, cast

import grpc

from postrider import v1
from postrider._connection import DEFAULT_TIMEOUT, OPTIONS, WATCH_SILENCE, connection, from_environment
from postrider._errors import PostriderError, from_rpc
from postrider._retry import Deadline, delay_before_repeat, delay_before_resume, with_request_id
from postrider.v1.access_service_pb2_grpc import AccessServiceStub
from postrider.v1.mail_service_pb2_grpc import MailServiceStub
from postrider.v1.settings_service_pb2_grpc import SettingsServiceStub


class AsyncClient:
    """Calls one Postrider service from one event loop: make one and keep it.

    `timeout` is in seconds, of the client for each call that gives none of its own; it includes repeats and waits.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """For a URL such as `https://postrider.example:50051`; it connects with the first call.

        With `http` the key and all mail cross the network as they are: that is for this machine, or behind a proxy with
        TLS. `ca_file` is a PEM file of the only authorities to trust, in place of the system's.
        """
        where = connection(url, key, ca_file)
        if where.credentials is None:
            self._channel = grpc.aio.insecure_channel(where.address, OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(where.address, where.credentials, OPTIONS)
        self._metadata = where.metadata
        self._timeout = timeout
        self._silence = WATCH_SILENCE
        self._mail = MailServiceStub(self._channel)
        self._settings = SettingsServiceStub(self._channel)
        self._access = AccessServiceStub(self._channel)

    @classmethod
    def from_env(cls, *, ca_file: str | os.PathLike[str] | None = None, timeout: float = DEFAULT_TIMEOUT) -> Self:
        """For the service at `POSTRIDER_URL` (default: on this machine) with the key in `POSTRIDER_KEY`."""
        url, key = from_environment()
        return cls(url, key, ca_file=ca_file, timeout=timeout)

    async def close(self) -> None:
        """Ends the connection and every call on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send_mail(self, request: v1.SendMailRequest, *, timeout: float | None = None) -> v1.SendMailResponse:
        """Accepts one email and answers once it is on disk, or with `WAIT_FOR_SENT` once it came to something."""
        return cast(v1.SendMailResponse, await self._call(self._mail.SendMail, "SendMail", request, timeout))

    async def batch_send_mail(
        self, request: v1.BatchSendMailRequest, *, timeout: float | None = None
    ) -> v1.BatchSendMailResponse:
        """Accepts up to 1,000 emails of one reseller, together at most 64 MiB. The results stand in the order of the
        requests."""
        return cast(
            v1.BatchSendMailResponse, await self._call(self._mail.BatchSendMail, "BatchSendMail", request, timeout)
        )

    async def get_message(
        self, request: v1.GetMessageRequest, *, timeout: float | None = None
    ) -> v1.GetMessageResponse:
        """Tells where one message is, with every attempt. It needs no settings."""
        return cast(v1.GetMessageResponse, await self._call(self._mail.GetMessage, "GetMessage", request, timeout))

    async def list_messages(
        self, request: v1.ListMessagesRequest, *, timeout: float | None = None
    ) -> v1.ListMessagesResponse:
        """Lists a reseller's messages, the newest first."""
        return cast(
            v1.ListMessagesResponse, await self._call(self._mail.ListMessages, "ListMessages", request, timeout)
        )

    async def cancel_message(
        self, request: v1.CancelMessageRequest, *, timeout: float | None = None
    ) -> v1.CancelMessageResponse:
        """Stops a message that has not been sent, and destroys its content."""
        return cast(
            v1.CancelMessageResponse, await self._call(self._mail.CancelMessage, "CancelMessage", request, timeout)
        )

    async def retry_message(
        self, request: v1.RetryMessageRequest, *, timeout: float | None = None
    ) -> v1.RetryMessageResponse:
        """Sends a message again under the same ids, with a fresh expiry."""
        return cast(
            v1.RetryMessageResponse, await self._call(self._mail.RetryMessage, "RetryMessage", request, timeout)
        )

    async def retry_messages(
        self, request: v1.RetryMessagesRequest, *, timeout: float | None = None
    ) -> v1.RetryMessagesResponse:
        """Does retry_message for all of a reseller's messages that match, skips those that cannot be retried, and
        counts the rest."""
        return cast(
            v1.RetryMessagesResponse, await self._call(self._mail.RetryMessages, "RetryMessages", request, timeout)
        )

    async def put_settings(
        self, request: v1.PutSettingsRequest, *, timeout: float | None = None
    ) -> v1.PutSettingsResponse:
        """Saves a reseller's settings. It replaces all but the credential, which stays when left out; the first put
        needs one."""
        return cast(
            v1.PutSettingsResponse, await self._call(self._settings.PutSettings, "PutSettings", request, timeout)
        )

    async def get_settings(
        self, request: v1.GetSettingsRequest, *, timeout: float | None = None
    ) -> v1.GetSettingsResponse:
        """Gives a reseller's settings, without the secret."""
        return cast(
            v1.GetSettingsResponse, await self._call(self._settings.GetSettings, "GetSettings", request, timeout)
        )

    async def list_settings(
        self, request: v1.ListSettingsRequest, *, timeout: float | None = None
    ) -> v1.ListSettingsResponse:
        """Lists the settings of all resellers that the caller may see, by reseller."""
        return cast(
            v1.ListSettingsResponse, await self._call(self._settings.ListSettings, "ListSettings", request, timeout)
        )

    async def delete_settings(
        self, request: v1.DeleteSettingsRequest, *, timeout: float | None = None
    ) -> v1.DeleteSettingsResponse:
        """Destroys a reseller's settings, credential and data key. The history of its messages stays, without
        content."""
        return cast(
            v1.DeleteSettingsResponse,
            await self._call(self._settings.DeleteSettings, "DeleteSettings", request, timeout),
        )

    async def test_settings(
        self, request: v1.TestSettingsRequest, *, timeout: float | None = None
    ) -> v1.TestSettingsResponse:
        """Tries settings in five steps, at most up to a test mail, and says of each what was found. A failed test is
        an answer, not an error."""
        return cast(
            v1.TestSettingsResponse, await self._call(self._settings.TestSettings, "TestSettings", request, timeout)
        )

    async def pause_sending(
        self, request: v1.PauseSendingRequest, *, timeout: float | None = None
    ) -> v1.PauseSendingResponse:
        """Stops a reseller's mail until resume_sending. Mail is still accepted and waits; attempts under way end by
        themselves."""
        return cast(
            v1.PauseSendingResponse, await self._call(self._settings.PauseSending, "PauseSending", request, timeout)
        )

    async def resume_sending(
        self, request: v1.ResumeSendingRequest, *, timeout: float | None = None
    ) -> v1.ResumeSendingResponse:
        """Ends an operator's pause, and wakes a lane that its settings hold. Nothing else ends an operator's
        pause."""
        return cast(
            v1.ResumeSendingResponse, await self._call(self._settings.ResumeSending, "ResumeSending", request, timeout)
        )

    async def create_key(self, request: v1.CreateKeyRequest, *, timeout: float | None = None) -> v1.CreateKeyResponse:
        """Makes a key. Its secret is in the reply and nowhere else: only a keyed hash is kept."""
        return cast(v1.CreateKeyResponse, await self._call(self._access.CreateKey, "CreateKey", request, timeout))

    async def list_keys(self, request: v1.ListKeysRequest, *, timeout: float | None = None) -> v1.ListKeysResponse:
        """Lists the keys that the caller may see, revoked and expired ones too. Without their secrets."""
        return cast(v1.ListKeysResponse, await self._call(self._access.ListKeys, "ListKeys", request, timeout))

    async def revoke_key(self, request: v1.RevokeKeyRequest, *, timeout: float | None = None) -> v1.RevokeKeyResponse:
        """Ends a key for good, at once; its open streams end too. On a revoked key it is OK again."""
        return cast(v1.RevokeKeyResponse, await self._call(self._access.RevokeKey, "RevokeKey", request, timeout))

    async def list_audit_events(
        self, request: v1.ListAuditEventsRequest, *, timeout: float | None = None
    ) -> v1.ListAuditEventsResponse:
        """Lists what callers changed, the newest first."""
        return cast(
            v1.ListAuditEventsResponse,
            await self._call(self._access.ListAuditEvents, "ListAuditEvents", request, timeout),
        )

    async def watch(self, request: v1.WatchMessagesRequest) -> AsyncGenerator[v1.WatchMessagesResponse, None]:
        """Each change of a message, without gaps: when the stream breaks it goes on by itself from the last cursor.

        It raises what does not pass, such as a revoked key or `CURSOR_EXPIRED`. To go on after a restart of your own
        program, keep the cursor of the last response and give it in the request.
        """
        resumed = v1.WatchMessagesRequest()
        resumed.CopyFrom(request)
        attempt = 0
        while True:
            error: PostriderError | None = None
            call = self._mail.WatchMessages(resumed, metadata=self._metadata)
            try:
                while (response := await asyncio.wait_for(call.read(), self._silence)) is not grpc.aio.EOF:
                    attempt, resumed.cursor = 0, response.cursor
                    if response.HasField("message"):
                        yield response
            except grpc.RpcError as raised:
                error = from_rpc(raised)
            except TimeoutError:
                pass  # A stream that died unseen; it is taken up again.
            finally:
                call.cancel()
            delay = delay_before_resume(error, attempt)
            if delay is None:
                assert error is not None
                raise error
            await asyncio.sleep(delay)
            attempt += 1

    async def watch_settings_test(
        self, request: v1.WatchSettingsTestRequest, *, timeout: float | None = None
    ) -> AsyncGenerator[v1.WatchSettingsTestResponse, None]:
        """Does test_settings and tells of each step as it begins and ends; the last response has the `result`. For
        people who wait for it. The test goes on to its end also when you break off."""
        deadline = Deadline(self._timeout if timeout is None else timeout)
        request = with_request_id(request)
        attempt = 0
        while True:
            begun = False
            call = self._settings.WatchSettingsTest(request, timeout=deadline.left(), metadata=self._metadata)
            try:
                async for response in call:
                    begun = True
                    yield response
                return
            except grpc.RpcError as raised:
                error = from_rpc(raised)
            finally:
                call.cancel()
            delay = delay_before_repeat("WatchSettingsTest", error, attempt)
            if begun or delay is None or not deadline.allows(delay):
                raise error
            await asyncio.sleep(delay)
            attempt += 1

    async def _call(self, method: Any, rpc: str, request: Any, timeout: float | None) -> Any:
        deadline = Deadline(self._timeout if timeout is None else timeout)
        request = with_request_id(request)
        attempt = 0
        while True:
            try:
                return await method(request, timeout=deadline.left(), metadata=self._metadata)
            except grpc.RpcError as raised:
                error = from_rpc(raised)
            delay = delay_before_repeat(rpc, error, attempt)
            if delay is None or not deadline.allows(delay):
                raise error
            await asyncio.sleep(delay)
            attempt += 1
