"""Acknowledgements of indexers: who waits asks, for everybody, and not more often than was agreed.

Stage 6 of 7, export. Thread: delivery loop. A question is a task that outlives who put it, if that one is
cancelled: a collector says yes to an id once alone, and to everybody who waits at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from fapilog_exporter_splunk.answers import ACK_DISABLED, code_of, read_acknowledged
from fapilog_exporter_splunk.connection import Connection
from fapilog_exporter_splunk.progress import Key, Progress, Waiting

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
        self._question: asyncio.Task[None] | None = None

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
            if not self._is_asking() and now - self._asked_at >= self._poll_seconds:
                self._question = asyncio.ensure_future(self._ask())
                await asyncio.shield(self._question)
            elif now >= until:
                return False
            else:
                due = max(self._asked_at + self._poll_seconds - now, self._poll_seconds / 10)
                await asyncio.sleep(max(0.0, min(due, until - now)))
        return True

    def _is_asking(self) -> bool:
        question = self._question
        if question is None or question.done():
            return False
        # That of a loop that has ended is never done.
        return question.get_loop() is asyncio.get_running_loop()

    async def _ask(self) -> None:
        began = self._clock()
        try:
            for channel, asked in self._waiting().items():
                await self._ask_channel(channel, asked)
                self._give_up(channel, asked, began)
        finally:
            self._asked_at = self._clock()

    def _waiting(self) -> dict[str, dict[int, Waiting]]:
        """Return what is to be asked; what is decided, or was sent again, is asked for no more."""
        channels: dict[str, dict[int, Waiting]] = defaultdict(dict)
        for key, owner in list(self._owners.items()):
            waiting = owner.waiting.get(key)
            channel, number = key
            if waiting is None:
                del self._owners[key]
            elif len(channels[channel]) < _ASKED_AT_ONCE:
                channels[channel][number] = waiting
        return channels

    async def _ask_channel(self, channel: str, asked: dict[int, Waiting]) -> None:
        try:
            status, _, body = await self._connection.ask(channel, list(asked))
        except OSError:
            return  # asked again; what is never answered is sent again
        if status == 200:
            found = read_acknowledged(body).intersection(asked)
        else:
            # Whoever switched acknowledgement off meanwhile wants no better answer than "taken".
            found = frozenset(asked if code_of(body) == ACK_DISABLED else ())
        for number in found:
            if owner := self._pop((channel, number), asked[number]):
                owner.acknowledge((channel, number))

    def _give_up(self, channel: str, asked: dict[int, Waiting], began: float) -> None:
        """Send again what was overdue when the question was put: never without having asked."""
        for number, waiting in asked.items():
            if began >= waiting.deadline and (owner := self._pop((channel, number), waiting)):
                owner.send_again((channel, number))

    def _pop(self, key: Key, waiting: Waiting) -> Progress | None:
        """Forget a key and return its owner; None if its number stands for something newer meanwhile."""
        owner = self._owners.get(key)
        if owner is None or owner.waiting.get(key) is not waiting:
            return None
        return self._owners.pop(key)
