"""Receivers that are slow or limited, as answers of `fapilog.testing.OtlpReceiver`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fapilog.testing import Answer, Exchange


class Slowly:
    """Takes the records and answers after a while, whatever the size of the request."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def send(self, exchange: Exchange) -> None:
        """Waits, then answers."""
        from fapilog.testing import Ok

        if exchange.pause(self._seconds):
            Ok().send(exchange)


class Narrow:
    """All connections share so many bytes of request bodies a second; then the answer comes."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def send(self, exchange: Exchange) -> None:
        """Waits until the body would be through, then answers."""
        from fapilog.testing import Ok

        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + len(exchange.request.body) / self._bytes_per_second
            wait = self._free_at - now
        if exchange.pause(wait):
            Ok().send(exchange)


class Limited:
    """Takes so many requests a second, at most as many at once, and answers the others 429.

    Args:
        requests_per_second: Its rate.
        retry_after: The pause that it asks for, in seconds; None: it names none.
    """

    def __init__(self, requests_per_second: float, retry_after: int | None) -> None:
        self._rate = requests_per_second
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._tokens = requests_per_second
        self._last = time.monotonic()

    def send(self, exchange: Exchange) -> None:
        """Answers 200 or 429."""
        from fapilog.testing import Ok, Status

        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._rate, self._tokens + (now - self._last) * self._rate)
            self._last = now
            taken = self._tokens >= 1.0
            self._tokens -= taken
        (Ok() if taken else Status(429, retry_after=self._retry_after)).send(exchange)


def named(words: list[str]) -> Answer:
    """Return the answer that a command names, such as `slowly 1` or `limited 2 1`."""
    kind, *numbers = words
    match kind, [float(number) for number in numbers]:
        case "slowly", [seconds]:
            return Slowly(seconds)
        case "narrow", [bytes_per_second]:
            return Narrow(bytes_per_second)
        case "limited", [rate]:
            return Limited(rate, None)
        case "limited", [rate, retry_after]:
            return Limited(rate, int(retry_after))
        case _:
            raise ValueError(f"unknown answer {words}")
