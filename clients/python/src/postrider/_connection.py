"""Where the service is, and with which key and transport it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import grpc

DEFAULT_URL = "http://127.0.0.1:50051"
DEFAULT_TIMEOUT = 30.0

# The service says something at least every 15 seconds. Three times that without a word is a stream that died unseen.
WATCH_SILENCE = 45.0

OPTIONS = [
    # A page of 1,000 messages with their attempts.
    ("grpc.max_receive_message_length", 64 << 20),
    # Of several replicas behind one name each is used, and one that leaves is not missed.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    # gRPC's own gap grows to two minutes, and a service that is back would long be waited for.
    ("grpc.max_reconnect_backoff_ms", 5000),
]


@dataclass(frozen=True)
class Connection:
    """A URL that was read, and the key."""

    address: str
    credentials: grpc.ChannelCredentials | None
    metadata: tuple[tuple[str, str], ...] = field(repr=False)


def connection(url: str, key: str, ca_file: str | os.PathLike[str] | None) -> Connection:
    parts = urlsplit(url)
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{url!r} is no URL such as {DEFAULT_URL}")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} begins with neither http:// nor https://")
    if parts.scheme == "http" and ca_file is not None:
        raise ValueError("a CA file is for an https URL")
    credentials = None
    if parts.scheme == "https":
        credentials = grpc.ssl_channel_credentials(Path(ca_file).read_bytes() if ca_file is not None else None)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if credentials else 80)
    return Connection(f"{host}:{port}", credentials, (("authorization", f"Bearer {key.strip()}"),))


def from_environment() -> tuple[str, str]:
    """POSTRIDER_URL and POSTRIDER_KEY."""
    key = os.environ.get("POSTRIDER_KEY", "")
    if not key:
        raise ValueError("no access key: set POSTRIDER_KEY; `postrider keys create` makes one")
    return os.environ.get("POSTRIDER_URL") or DEFAULT_URL, key
