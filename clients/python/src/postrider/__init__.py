"""The Python client of Postrider, which sends each reseller's email from the reseller's own Microsoft 365 mailbox.

`Client` is for threads, `AsyncClient` for asyncio. Both have every RPC of the API as a method, with the messages of
`postrider.v1`. Around the generated code they show the access key, give each call a deadline, make a `request_id` where
you gave none, repeat a call when the service says when to come again, and raise `PostriderError`.
"""

from postrider._connection import DEFAULT_URL
from postrider._errors import PostriderError, Violation
from postrider.aio import AsyncClient
from postrider.client import Client

__all__ = ["DEFAULT_URL", "AsyncClient", "Client", "PostriderError", "Violation"]
