"""Notices a stream that died without a word, and ends it, so that whoever reads it can go on by another."""

from __future__ import annotations

import math
import threading
import time
from typing import Any, Self


class Silence:
    """Cancels a call that says nothing for so many seconds while somebody waits for it: one thread a stream."""

    def __init__(self, call: Any, seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._due = time.monotonic() + seconds
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="postrider-watch-silence", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._call.cancel()

    def broken(self) -> None:
        """A response came; the time its reader takes does not count."""
        self._due = math.inf

    def begins(self) -> None:
        """The reader waits for the next response."""
        self._due = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while not self._ended.wait(min(self._seconds, max(0.0, self._due - time.monotonic()))):
            if time.monotonic() >= self._due:
                self._call.cancel()
                return
