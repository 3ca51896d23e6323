"""`fapilog_lifespan`: configure, instrument, start the application's own; at the end, deliver what is there.

For those who like it explicit: `FastAPI(lifespan=fapilog_lifespan(...))`. Whoever calls `instrument_fastapi`
alone loses nothing either, because fapilog flushes at the end of the process; the lifespan delivers earlier,
while the server still waits. Threads: the event loop's; the drain waits in a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from time import perf_counter
from typing import Any

import anyio
import anyio.to_thread

from fapilog import Logger, Telemetry, configure_otel, current_telemetry
from fapilog_instrumentation_fastapi.instrumentor import Instrumented, instrument_fastapi, instrumented
from fapilog_instrumentation_fastapi.settings import RequestLogging

LOGGER = "fapilog.application"
STARTED = "fapilog.application.started"
STOPPED = "fapilog.application.stopped"
FAILED = "fapilog.application.failed"

_log = logging.getLogger("fapilog_instrumentation_fastapi")

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


def fapilog_lifespan(
    lifespan: Lifespan | None = None,
    *,
    telemetry: Telemetry | Callable[[], Telemetry] | None = None,
    settings: RequestLogging | None = None,
    **options: Any,
) -> Lifespan:
    """Return a lifespan that has logging ready before the application starts, and delivers when it stops.

    At start it configures the process, instruments the application (unless that is done), enters the
    application's own lifespan and records `fapilog.application.started`. At the end it records
    `fapilog.application.stopped` and waits until logs, spans and metrics have left, for at most
    `lifecycle.drain_timeout_millis`. It ends no pipeline: servers log after it, and that leaves at the end of
    the process. So a lifespan may be entered again and again, as `TestClient` does.

    Args:
        lifespan: The application's own: a function of the application that returns an async context manager.
        telemetry: What to use, or a function that makes it, such as
            `lambda: fapilog.configure_otel("orders")`: it is called in each worker. Default: what the process
            is configured with, else `configure_otel()`. With a `logger_provider` among the options nothing is
            configured, and that provider, and a `tracer_provider` beside it, are waited for.
        settings: Default: the environment (`RequestLogging.load`).
        **options: Fields of `RequestLogging`, as `instrument_fastapi` takes them.

    Raises:
        ConfigurationError: At start, if a setting is wrong.
        LifecycleError: At start, `already-configured`, if the process or the application is configured
            otherwise.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI(lifespan=fapilog_lifespan(spans="none", lifecycle={"drain_timeout_millis": 2_000}))
    """

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Mapping[str, Any] | None]:
        life = _Life(app, _telemetry(telemetry, options), settings, options)
        inner: AbstractAsyncContextManager[Mapping[str, Any] | None] = (
            nullcontext() if lifespan is None else lifespan(app)
        )
        try:
            async with inner as state:
                life.started()
                yield state
            life.stopped()
        except Exception as error:
            life.failed(error)
            raise
        finally:
            await life.drain()

    return around


def _telemetry(
    given: Telemetry | Callable[[], Telemetry] | None, options: Mapping[str, Any]
) -> Telemetry | None:
    if given is None:
        if options.get("logger_provider") is not None:
            return None
        return current_telemetry() or configure_otel()
    return given if isinstance(given, Telemetry) else given()


class _Life:
    """One start and stop of an application."""

    def __init__(
        self, app: Any, telemetry: Telemetry | None, settings: RequestLogging | None, options: dict[str, Any]
    ) -> None:
        self._telemetry = telemetry
        known = self._instrument(app, settings, options)
        self._providers = [options.get("logger_provider"), options.get("tracer_provider")]
        self._settings = known.settings.lifecycle
        self._log: Logger = known.plan.get_logger(LOGGER)
        shown = {"title": getattr(app, "title", None), "version": getattr(app, "version", None)}
        self._application = {f"fapilog.application.{key}": value for key, value in shown.items() if value}
        self._began = perf_counter()
        self._is_started = False

    def _instrument(self, app: Any, settings: RequestLogging | None, options: dict[str, Any]) -> Instrumented:
        known = instrumented(app)
        if known is None or settings is not None or options:
            # Loggers of the process follow it when it is configured anew; those of one pipeline would not.
            own = self._telemetry if self._telemetry is not current_telemetry() else None
            instrument_fastapi(app, settings, telemetry=own, **options)
            known = instrumented(app)
        assert known is not None
        return known

    def started(self) -> None:
        self._is_started = True
        self._write("application started", STARTED)
        self._began = perf_counter()

    def stopped(self) -> None:
        self._write("application stopped", STOPPED)

    def failed(self, error: Exception) -> None:
        phase = "shutdown" if self._is_started else "startup"
        self._write(f"application failed at {phase}", FAILED, error, **{"fapilog.application.phase": phase})

    def _write(self, body: str, event: str, error: Exception | None = None, **attributes: Any) -> None:
        if not self._settings.events:
            return
        write = self._log.info if error is None else self._log.error
        seconds = {"fapilog.application.seconds": perf_counter() - self._began}
        write(body, event_name=event, exc_info=error, **self._application, **seconds, **attributes)

    async def drain(self) -> None:
        """Wait in a thread, so that what else ends with the application goes on."""
        limit = self._settings.drain_timeout_millis
        first = self._telemetry if self._telemetry is not None else self._providers[0]
        assert first is not None
        if limit is None:
            limit = first.settings.buffer.shutdown_timeout_millis
        ends = [first] if self._telemetry is not None else [each for each in self._providers if each]
        with anyio.CancelScope(shield=True):
            drained = await anyio.to_thread.run_sync(_flushed, ends, limit)
        if not drained:
            _log.warning(
                "not everything was delivered within %d ms; the end of the process tries again", limit
            )


def _flushed(ends: Sequence[Any], limit_millis: int) -> bool:
    """Flush one after the other within one time limit."""
    deadline = perf_counter() + limit_millis / 1_000
    left = [each.force_flush(max(0, int((deadline - perf_counter()) * 1_000))) for each in ends]
    return all(left)
