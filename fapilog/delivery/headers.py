"""Stage 6 of 7, export: keeps the request headers of a native exporter good. Thread: delivery loop.

The native senders wait for the first headers. What they are told lasts until it is renewed, or until the
endpoint answers 401 or 403: then they wait again, with pauses, for the next.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from fapilog.delivery.backoff import pause_seconds
from fapilog.diagnostics import Tell
from fapilog.exporters.auth import Auth, AuthError, Credentials
from fapilog.settings import RetrySettings

# New headers that are refused sooner than this are no better than the old ones: asking again takes pauses.
_REFUSED_AT_ONCE_SECONDS = 10.0


class HeaderTarget(Protocol):
    """What a keeper needs of a native pipeline."""

    def set_headers(self, exporter: str, headers: list[tuple[str, str]]) -> None:
        """Use these from the next attempt on."""

    def headers_refused(self, exporter: str) -> bool:
        """Whether the endpoint refused those that are in use."""


class HeaderKeeper:
    """Keeps the headers of one native exporter good, in every pipeline that has it.

    Args:
        name: Of the exporter.
        auth: Where headers come from.
        fixed: Headers of the settings; those of `auth` win.
        retry: Pauses after a failure.
        tell: Told what people should hear of.
        jitter: Uniform in 0..1.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it is made of, one name each
        self,
        name: str,
        auth: Auth,
        fixed: Sequence[tuple[str, str]],
        retry: RetrySettings,
        tell: Tell,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._auth = auth
        self._fixed = dict(fixed)
        self._retry = retry
        self._tell = tell
        self._jitter = jitter
        self._targets: list[HeaderTarget] = []
        self._current: Credentials | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def serve(self, target: HeaderTarget) -> None:
        """Keep the headers of a further pipeline good too."""
        self._targets.append(target)
        if self._current is not None:
            self._hand_over(target, self._current)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())

    def wake(self) -> None:
        """Look whether headers were refused. Never raises."""
        if any(target.headers_refused(self.name) for target in self._targets):
            self._wanted.set()

    async def stop(self) -> None:
        """Ask for nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        failures, given_at = 0, -math.inf
        while True:
            credentials, failures = await self._obtained(failures)
            if credentials is not None:
                self._current, given_at = credentials, _now()
                for target in self._targets:
                    self._hand_over(target, credentials)
                # Who was woken meanwhile found the ones before refused.
                self._wanted.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._until_renewal(credentials)):
                        await self._wanted.wait()
                if not self._wanted.is_set() or _now() - given_at > _REFUSED_AT_ONCE_SECONDS:
                    failures = 0
                    continue
                failures += 1
            await asyncio.sleep(pause_seconds(failures - 1, None, self._retry, self._jitter()))

    async def _obtained(self, failures: int) -> tuple[Credentials | None, int]:
        """New credentials, or one failure more."""
        try:
            return await self._auth.renewed(), failures
        except AuthError as error:
            what = f"exporter {self.name}: {error}; records wait and the function is called again"
            self._tell("auth-failed", what, self.name)
            return None, failures + 1

    def _until_renewal(self, credentials: Credentials) -> float | None:
        seconds = self._auth.seconds_until_renewal(credentials)
        return None if seconds == math.inf else seconds

    def _hand_over(self, target: HeaderTarget, credentials: Credentials) -> None:
        merged: Mapping[str, str] = self._fixed | credentials.headers
        try:
            target.set_headers(self.name, list(merged.items()))
        except ValueError as error:
            self._tell("auth-failed", f"exporter {self.name}: {error}", self.name)


def _now() -> float:
    return asyncio.get_running_loop().time()
