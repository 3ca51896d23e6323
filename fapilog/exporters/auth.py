"""Stage 6 of 7, export: request headers from a function of the application. Threads: delivery loop.

Tokens expire, and are refused before they expire. The function is called before the first request, some time
before the end of what it gave, and after a receiver refused it. While it fails, records wait in the buffer.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fapilog.diagnostics import one_line, shown_error
from fapilog.errors import MASK, ConfigurationError, OffendingSetting, Problem
from fapilog.exporters.aside import run_aside
from fapilog.exporters.masking import without_secrets
from fapilog.settings import parse

Headers = Mapping[str, str]
Answered = Headers | tuple[Headers, float]
AuthFunction = Callable[[], Answered | Awaitable[Answered]]
AnyAuth = AuthFunction | Mapping[str, AuthFunction] | None
"""What `auth=` takes: a function for the exporter `otlp`, or functions by the name of their exporter."""

# A single function is for this one: a token of one receiver is no business of another.
DEFAULT_EXPORTER = "otlp"
TAKE_AUTH = (DEFAULT_EXPORTER, "webhook")

# Renewed this long before the end, or in the last fifth of a short life: a request on its way must not meet
# it.
RENEW_SECONDS = 60.0
_RENEW_RATIO = 0.2
# A function that does not answer within this time has failed.
TIMEOUT_SECONDS = 30.0


def checked_functions(auth: AnyAuth) -> dict[str, AuthFunction]:
    """Return the functions by the name of their exporter; a single one is for `otlp`.

    Raises:
        ConfigurationError: `auth-invalid`, if one cannot be called, or is for an exporter that takes none.
    """
    if auth is None:
        return {}
    given = dict(auth) if isinstance(auth, Mapping) else {DEFAULT_EXPORTER: auth}
    for name, function in given.items():
        if name not in TAKE_AUTH:
            raise _invalid(f"auth is for {name}, which takes none", f"name one of {', '.join(TAKE_AUTH)}")
        if not callable(function):
            what = f"auth is a {type(function).__name__}, not a function"
            raise _invalid(what, "pass a function without arguments that returns headers")
    return given


def _invalid(what: str, remedy: str) -> ConfigurationError:
    setting = OffendingSetting("auth", MASK, "argument", remedy)
    return ConfigurationError([Problem("auth-invalid", what, (setting,), remedy)])


class AuthError(Exception):
    """The function gave no headers that can be sent."""


@dataclass(frozen=True, eq=False)
class Credentials:
    """What one call of the function gave.

    Attributes:
        headers: To be sent with each request.
        renew_at: Monotonic time from which new ones are asked for; infinity: never.
        ends_at: Monotonic time from which these are not used; infinity: never.
    """

    headers: dict[str, str]
    renew_at: float = math.inf
    ends_at: float = math.inf

    def __repr__(self) -> str:
        return f"<Credentials in {', '.join(self.headers)}>"


class Auth:
    """The headers of one exporter, asked for when they are needed; one call at a time, whoever waits.

    Args:
        function: Returns headers, or headers and the seconds for which they are good. An ordinary function is
            called in a thread of its own, an `async` one on the delivery loop.
        clock: Monotonic seconds.
        timeout_seconds: After which a call has failed; 30 by default.
    """

    def __init__(
        self,
        function: AuthFunction,
        clock: Callable[[], float] = time.monotonic,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._function = function
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._current: Credentials | None = None
        self._proven = False
        self._asking: asyncio.Task[Credentials] | None = None
        self._process = os.getpid()

    async def credentials(self) -> Credentials:
        """Return credentials that are good now.

        Between their renewal and their end the old ones are returned while new ones are asked for.

        Raises:
            AuthError: If the function failed or was too slow, and the old ones are no good any more.
        """
        now, current = self._clock(), self._current
        if current is not None and now < current.renew_at:
            return current
        asking = self._ask()
        if current is not None and now < current.ends_at:
            return current
        # Shielded: an export that is given up does not stop the call that others wait for.
        return await asyncio.shield(asking)

    async def renewed(self) -> Credentials:
        """Ask for new credentials, whatever there is, and return them.

        Raises:
            AuthError: If the function failed or was too slow.
        """
        return await asyncio.shield(self._ask())

    def seconds_until_renewal(self, credentials: Credentials) -> float:
        """Return the time until these should be renewed; infinity: never."""
        return max(0.0, credentials.renew_at - self._clock())

    def accepted(self, credentials: Credentials) -> None:
        """A receiver took a request with these."""
        self._proven = self._proven or credentials is self._current

    def refused(self, credentials: Credentials) -> bool:
        """A receiver refused these; tell whether the same request with new ones makes sense.

        It does not when they were new and never accepted: then not their age is the reason.
        """
        if credentials is not self._current:
            return True  # others noticed before
        again, self._current, self._proven = self._proven, None, False
        return again

    def _ask(self) -> asyncio.Task[Credentials]:
        if self._asking is None or self._process != os.getpid() or self._asking.done():
            self._process = os.getpid()
            self._asking = asyncio.get_running_loop().create_task(self._call())
            self._asking.add_done_callback(_seen)
        return self._asking

    async def _call(self) -> Credentials:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await _answer(self._function)
        except TimeoutError:
            raise AuthError(f"the auth function did not answer within {self._timeout_seconds:g} s") from None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit would end the loop
            # Not as the cause: a traceback would show what is hidden here.
            raise AuthError(f"the auth function raised {one_line(_described(error))}") from None
        try:
            self._current, self._proven = checked(answer, self._clock()), False
        except AuthError:
            raise
        except Exception as error:
            raise AuthError(
                f"what the auth function returned cannot be read: {type(error).__name__}"
            ) from error
        return self._current


def _seen(task: asyncio.Task[Credentials]) -> None:
    if not task.cancelled():
        task.exception()  # seen: whoever waits hears of it, and asyncio does not complain when nobody does


async def _answer(function: AuthFunction) -> Any:
    answer: Any
    if inspect.iscoroutinefunction(function):
        answer = await function()
    else:
        answer = await run_aside(function, "fapilog-auth")
    return await answer if inspect.isawaitable(answer) else answer


def _described(error: BaseException) -> str:
    """Type and text: who asks for a token often quotes one, or the password that it was asked with."""
    kind, _, text = shown_error(error).partition(": ")
    return f"{kind}: {without_secrets(text)}" if text else kind


def checked(answer: Any, now: float) -> Credentials:
    """Read what the function returned.

    Raises:
        AuthError: If it is not what it must be; the message shows no value.
    """
    headers, seconds = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, math.inf)
    if not isinstance(headers, Mapping) or not all(
        isinstance(text, str) for item in headers.items() for text in item
    ):
        raise AuthError("the auth function returned no mapping of texts")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise AuthError("the auth function returned a lifetime that is not a positive number of seconds")
    try:
        usable = parse.checked_headers(headers)
    except ValueError as error:
        raise AuthError(f"what the auth function returned {error}") from None
    margin = min(RENEW_SECONDS, seconds * _RENEW_RATIO)
    return Credentials(usable, now + seconds - margin, now + seconds)
