"""Acknowledgements of indexers: who waits asks, for everybody, and not more often than was agreed.

Stage 6 of 7, export. Thread: delivery loop. No task of its own: it ends with those who wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from fapilog_exporter_splunk.answers import ACK_DISABLED, code_of, read_acknowledged
from fapilog_exporter_splunk.connection import Connection
from fapilog_exporter_splunk.progress import Key, Progress

_ASKED_AT_ONCE = 1_000


class Acknowledgements:
    """What was sent over one connection and waits.

    Args:
        connection: Where to ask.
        poll_seconds: Pause between two questions.
        clock: Monotonic seconds.
    """

    def __init__(
        self, connection: Connection, poll_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._owners: dict[Key, Progress] = {}
        self._asked_at = -poll_seconds
        self._asking = False

    def register(self, key: Key, progress: Progress) -> None:
        """Events of this batch wait for this key.

        A key that another piece waits for already is a sign of a collector that was started anew and forgot:
        the older piece is sent again.
        """
        before = self._owners.get(key)
        if before is not None and key in before.waiting:
            before.send_again(key)
        self._owners[key] = progress

    async def wait(self, progress: Progress, seconds: float) -> bool:
        """Wait until nothing of the batch waits any more, or some of it must be sent again.

        Returns:
            False when the time was over first.
        """
        until = self._clock() + seconds
        while progress.waiting and not progress.to_do:
            now = self._clock()
            for key in progress.overdue(now):
                self._owners.pop(key, None)
                progress.send_again(key)
            if not self._asking and now - self._asked_at >= self._poll_seconds:
                await self._ask()
            elif now >= until:
                return False
            elif progress.waiting and not progress.to_do:
                due = max(self._asked_at + self._poll_seconds - now, self._poll_seconds / 10)
                await asyncio.sleep(max(0.0, min(due, until - now)))
        return True

    async def _ask(self) -> None:
        self._asking = True
        try:
            channels: dict[str, list[int]] = defaultdict(list)
            for channel, number in self._owners:
                channels[channel].append(number)
            for channel, numbers in channels.items():
                await self._ask_channel(channel, numbers[:_ASKED_AT_ONCE])
        finally:
            self._asking = False
            self._asked_at = self._clock()

    async def _ask_channel(self, channel: str, numbers: list[int]) -> None:
        try:
            status, _, body = await self._connection.ask(channel, numbers)
        except OSError:
            return  # asked again; what is never answered is sent again
        if status == 200:
            found = read_acknowledged(body).intersection(numbers)
        else:
            # Whoever switched acknowledgement off meanwhile wants no better answer than "taken".
            found = frozenset(numbers if code_of(body) == ACK_DISABLED else ())
        for number in found:
            key = channel, number
            owner = self._owners.pop(key, None)
            if owner is not None and key in owner.waiting:
                owner.acknowledge(key)
