"""The client asks again when it is told to, never twice where that would do harm, and says what is wrong."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from service import TLS, Refusal, Service, retry_after

from postrider import AsyncClient, Client, PostriderError, Violation, v1

KEY = "pr_test_key"
Code = grpc.StatusCode


def client_of(service: Service, **options: float) -> Client:
    return Client(service.url, KEY, ca_file=TLS / "ca.pem", **options)


def busy() -> Service:
    return Service(
        Refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_after(0.05)),
        Refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retry_after(0.05)),
        Refusal(Code.UNAVAILABLE),
    )


def test_a_busy_service_is_asked_again_under_one_request_id() -> None:
    request = v1.SendMailRequest(reseller="acme")
    begun = time.monotonic()
    with busy() as service, client_of(service) as client:
        assert client.send_mail(request).message.message_id == "m1"
    assert time.monotonic() - begun >= 0.2, "it came again sooner than it was told"
    assert len(service.request_ids) == 4 and len(set(service.request_ids)) == 1 and service.request_ids[0]
    assert not request.request_id, "the caller's request was changed"
    assert set(service.shown) == {f"Bearer {KEY}"}


def test_bad_input_names_every_field_and_is_not_repeated() -> None:
    fields = [
        error_details_pb2.BadRequest.FieldViolation(field="email.to[0].address", description="is no address"),
        error_details_pb2.BadRequest.FieldViolation(field="email.subject", description="has two lines"),
    ]
    bad = error_details_pb2.BadRequest(field_violations=fields)
    with Service(Refusal(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad)) as service, client_of(service) as client:
        with pytest.raises(PostriderError, match=r"email\.subject: has two lines") as raised:
            client.send_mail(v1.SendMailRequest())
    error = raised.value
    assert (error.code(), error.reason, error.request_id) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST", "r1")
    assert error.violations == (
        Violation("email.to[0].address", "is no address"),
        Violation("email.subject", "has two lines"),
    )
    assert len(service.request_ids) == 1


def test_a_key_that_may_exist_is_not_made_twice() -> None:
    unknown = Refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retry_after(0.001))
    with Service(unknown) as service, client_of(service) as client, pytest.raises(PostriderError) as raised:
        client.create_key(v1.CreateKeyRequest())
    assert (raised.value.reason, raised.value.metadata["message_id"], service.created) == ("COMMIT_UNKNOWN", "m1", 1)


def test_a_delay_beyond_the_deadline_is_not_waited_for() -> None:
    full = Refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_after(3600))
    with Service(full) as service, client_of(service) as client, pytest.raises(PostriderError) as raised:
        client.send_mail(v1.SendMailRequest(), timeout=20)
    assert raised.value.retry_delay == timedelta(hours=1)


def test_a_service_that_is_not_there_is_no_reason_of_its_own() -> None:
    with Client("http://127.0.0.1:1", KEY) as client, pytest.raises(PostriderError) as raised:
        client.get_message(v1.GetMessageRequest(), timeout=0.3)
    assert raised.value.reason == "" and isinstance(raised.value, grpc.RpcError)


def test_a_broken_watch_goes_on_from_its_last_cursor() -> None:
    leaving = Refusal(Code.UNAVAILABLE, "SHUTTING_DOWN", retry_after(0.001))
    with Service(leaving) as service, client_of(service) as client:
        events = client.watch(v1.WatchMessagesRequest())
        assert [next(events).message.message_id, next(events).message.message_id] == ["m1", "m2"]
        events.close()
    assert service.cursors == ["", "1"]


def test_a_watch_that_fell_silent_is_taken_up_again() -> None:
    with Service() as service, client_of(service) as client:
        client._silence = 0.1
        events = client.watch(v1.WatchMessagesRequest(cursor="silent"))
        assert next(events).message.message_id == "m3"
        events.close()
    assert service.cursors == ["silent", "silent"]


def test_a_revoked_key_ends_a_watch() -> None:
    with Service(Refusal(Code.UNAUTHENTICATED, "UNAUTHENTICATED")) as service, client_of(service) as client:
        with pytest.raises(PostriderError, match="UNAUTHENTICATED"):
            list(client.watch(v1.WatchMessagesRequest()))


def test_a_test_of_settings_tells_each_step_and_is_asked_for_again_under_one_request_id() -> None:
    async def run(service: Service) -> list[str | None]:
        async with AsyncClient(service.url, KEY, ca_file=TLS / "ca.pem") as client:
            events = client.watch_settings_test(v1.WatchSettingsTestRequest())
            return [event.WhichOneof("event") async for event in events]

    unknown = Refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retry_after(0.001))
    with Service(unknown) as service, client_of(service) as client:
        events = client.watch_settings_test(v1.WatchSettingsTestRequest())
        assert [event.WhichOneof("event") for event in events] == ["began", "result"]
        service.failures.append(unknown)
        assert asyncio.run(run(service)) == ["began", "result"]
    first, second = service.request_ids[:2], service.request_ids[2:]
    assert len(first) == len(second) == 2 and len(set(first)) == len(set(second)) == 1 and all(service.request_ids)


def test_asyncio_asks_again_and_watches_too() -> None:
    async def run(service: Service) -> list[str]:
        async with AsyncClient(service.url, KEY, ca_file=TLS / "ca.pem") as client:
            client._silence = 0.1
            sent = await client.send_mail(v1.SendMailRequest())
            seen = [sent.message.message_id]
            with pytest.raises(PostriderError, match="INVALID_REQUEST"):
                await client.send_mail(v1.SendMailRequest())
            async for event in client.watch(v1.WatchMessagesRequest(cursor="silent")):
                seen.append(event.message.message_id)
                break
            return seen

    with busy() as service:
        service.failures += [None, Refusal(Code.INVALID_ARGUMENT, "INVALID_REQUEST")]
        assert asyncio.run(run(service)) == ["m1", "m3"]
    assert len(set(service.request_ids[:4])) == 1 and service.cursors == ["silent", "silent"]


@pytest.mark.parametrize("url", ["", "127.0.0.1:50051", "ftp://a", "http://a/path"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        Client(url, KEY)
