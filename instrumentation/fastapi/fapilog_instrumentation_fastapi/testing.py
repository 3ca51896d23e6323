"""For tests of applications: the records of one request, checks that none is another's, and the overhead.

With fapilog installed, pytest has the fixture `fapilog_requests`, a `RequestLogs`; it has the same records as
`fapilog_logs`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, NamedTuple

from fapilog import LoggerProvider
from fapilog.testing import CapturedLogs, ReceivedLogRecord, capture_logs
from fapilog_instrumentation_fastapi.access import HTTP_EVENT, WEBSOCKET_EVENT
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from fapilog_instrumentation_fastapi.middleware import CORRELATION_ATTRIBUTE, RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.settings import RequestLogging

_EVENTS = frozenset({HTTP_EVENT, WEBSOCKET_EVENT})
# Servers and clients log about more than one request.
_OUTSIDE = ("uvicorn", "uvicorn.error", "httpx", "httpx2", "httpcore", "httpcore2", "asyncio")
_SHOWN = 10

Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class RequestLogs:
    """The records that an application under test wrote, by request.

    Where a request is asked for, give its response (of `TestClient` or httpx), or its correlation id.

    Args:
        logs: What was captured.
        header: The response header that carries the id.

    Attributes:
        logs: All records, as `fapilog_logs` has them.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> from fapilog_instrumentation_fastapi import instrument_fastapi
        >>> with capture_requests() as requests:
        ...     app = instrument_fastapi(FastAPI(), spans="none")
        ...     answer = TestClient(app).get("/nowhere")
        >>> requests.access(answer).body, len(requests.of(answer))
        ('GET 404', 1)
    """

    def __init__(self, logs: CapturedLogs, header: str = "X-Correlation-ID") -> None:
        self.logs = logs
        self._header = header

    def id_of(self, request: Any) -> str:
        """Return the correlation id of a request.

        Raises:
            LookupError: The response has no such header: the application is not instrumented, or
                `correlation.response_header` is another one.
        """
        if isinstance(request, str):
            return request
        found = request.headers.get(self._header)
        if not found:
            raise LookupError(
                f"the response has no header {self._header}: is the application instrumented, and its"
                " correlation.response_header this one?"
            )
        return str(found)

    def of(self, request: Any) -> list[ReceivedLogRecord]:
        """Return every record of one request, in order; its access record is among them."""
        wanted = self.id_of(request)
        return [record for record in self.logs if record.attributes.get(CORRELATION_ATTRIBUTE) == wanted]

    def access(self, request: Any) -> ReceivedLogRecord:
        """Return the access record of one request.

        Raises:
            LookupError: There is none, or more than one; the message lists the records of the request.
        """
        there = self.of(request)
        found = [record for record in there if record.event_name in _EVENTS]
        if len(found) != 1:
            raise LookupError(
                f"{len(found)} access records of {self.id_of(request)}; its records:\n{_lines(there)}"
            )
        return found[0]

    def check(self, *requests: Any, same: Iterable[str] = (), outside: Iterable[str] = _OUTSIDE) -> None:
        """Fail unless every record belongs to one request, and to the right one.

        - Every record has a correlation id, but for those of the loggers in `outside`.
        - With `requests` given: each has one access record, and no record has the id of another request.
        - Records of one id are of one trace, that of the access record, where there are spans.
        - Of each attribute in `same` the records of one id have one value: name what your records say about
          their request, such as `user.id`, to see that no record went to another one.

        Args:
            *requests: All that were made.
            same: Attributes.
            outside: Names of loggers whose records may be of no request. Default: those of servers and
                HTTP clients.

        Raises:
            AssertionError: It lists what is wrong, and the records.
        """
        wrong = [*self._strays(frozenset(outside)), *self._mixed(tuple(same))]
        if requests:
            wrong += self._unexpected(requests)
        if wrong:
            shown = [*wrong[:_SHOWN], *([f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])]
            raise AssertionError("records and requests do not fit together:\n" + "\n".join(shown))

    def _strays(self, outside: frozenset[str]) -> Iterator[str]:
        for record in self.logs:
            if CORRELATION_ATTRIBUTE not in record.attributes and record.scope_name not in outside:
                yield f"no correlation id:\n{_line(record)}"

    def _by_id(self) -> dict[str, list[ReceivedLogRecord]]:
        found: dict[str, list[ReceivedLogRecord]] = {}
        for record in self.logs:
            correlation_id = record.attributes.get(CORRELATION_ATTRIBUTE)
            if correlation_id is not None:
                found.setdefault(correlation_id, []).append(record)
        return found

    def _mixed(self, same: tuple[str, ...]) -> Iterator[str]:
        for correlation_id, records in self._by_id().items():
            if len({record.trace_id for record in records}) > 1:
                yield f"{correlation_id} has records of several traces:\n{_lines(records)}"
            for name in same:
                values = {repr(record.attributes[name]) for record in records if name in record.attributes}
                if len(values) > 1:
                    yield f"{correlation_id} has several values of {name}:\n{_lines(records)}"

    def _unexpected(self, requests: Iterable[Any]) -> Iterator[str]:
        ids = [self.id_of(request) for request in requests]
        there = self._by_id()
        for correlation_id in dict.fromkeys(ids):
            wanted, records = ids.count(correlation_id), there.get(correlation_id, [])
            count = sum(record.event_name in _EVENTS for record in records)
            if count != wanted:
                yield f"{correlation_id}: requests {wanted}, access records {count}:\n{_lines(records)}"
        for correlation_id in there.keys() - set(ids):
            yield f"{correlation_id} is no id of a request:\n{_lines(there[correlation_id])}"


@contextmanager
def capture_requests(*apps: Any) -> Iterator[RequestLogs]:
    """Capture the records of applications inside the block.

    Args:
        *apps: Instrumented applications with a pipeline of their own (`logger_provider` or `telemetry`).
            Default: what the process is configured with, now or by the application when it starts.

    Raises:
        LookupError: An application is not instrumented, or has no pipeline of its own.
    """
    with capture_logs(*(_provider_of(app) for app in apps)) as logs:
        yield RequestLogs(logs)


def _provider_of(app: Any) -> LoggerProvider:
    plan = app.plan if isinstance(app, RequestLoggingMiddleware) else getattr(instrumented(app), "plan", None)
    if plan is None or plan.logger_provider is None:
        raise LookupError(
            f"{type(app).__name__} is not instrumented, or writes to the pipeline of the process:"
            " leave it out"
        )
    provider: LoggerProvider = plan.logger_provider
    return provider


class Overhead(NamedTuple):
    """What the middleware costs a request, in microseconds; the best round of each.

    Attributes:
        bare_micros: A request to the application alone.
        logged_micros: The same with the middleware around it.
    """

    bare_micros: float
    logged_micros: float

    @property
    def added_micros(self) -> float:
        """What the middleware adds."""
        return self.logged_micros - self.bare_micros

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.added_micros:.1f} µs per request ({self.bare_micros:.1f} without)"


async def measure_overhead(  # noqa: PLR0913 - a request has parts
    app: Application,
    settings: RequestLogging | None = None,
    *,
    path: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    logger_provider: LoggerProvider | None = None,
    requests: int = 60,
    rounds: int = 75,
) -> Overhead:
    """Measure what correlation and the access record add to a request; spans, servers and sockets excluded.

    The same application is called as servers call it, without and with the middleware, in turns; the best
    round of each counts, and rounds are short, so that some of them are disturbed by nobody. Compare the
    figure with an earlier one of the same machine; a limit in a test needs room for a busy one.

    Args:
        app: An application that is not instrumented: FastAPI, or any ASGI application.
        settings: Default: the environment (`RequestLogging.load`).
        path: Of the request.
        method: Of the request.
        headers: Of the request, beside `host`.
        logger_provider: Where records go. Default: the pipeline of the process.
        requests: In each round.
        rounds: Of each kind.

    Example:
        >>> import asyncio
        >>> from fastapi import FastAPI
        >>> overhead = asyncio.run(measure_overhead(FastAPI(), requests=20, rounds=2))
        >>> overhead.added_micros < 5_000
        True
    """
    logged = RequestLoggingMiddleware(app, settings, logger_provider=logger_provider)
    given = [(b"host", b"testserver"), *headers]
    kinds: tuple[Application, Application] = (app, logged)
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for which, kind in enumerate(kinds):
            best[which] = min(best[which], await _round(kind, _scope(path, method, given), requests))
    return Overhead(*best)


async def _round(app: Application, scope: dict[str, Any], requests: int) -> float:
    """Microseconds per request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None: ...

    started = perf_counter_ns()
    for _ in range(requests):
        await app({**scope}, receive, send)
    return (perf_counter_ns() - started) / 1_000 / requests


def _scope(path: str, method: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """An HTTP scope as servers make it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("203.0.113.7", 50_000),
        "server": ("testserver", 80),
    }


def _lines(records: Iterable[ReceivedLogRecord]) -> str:
    return "\n".join(map(_line, records)) or "  nothing"


def _line(record: ReceivedLogRecord) -> str:
    return (
        f"  {record.severity_text} {record.scope_name}: {record.body!r}"
        f" trace {record.trace_id[:8] or '-'} {record.attributes}"
    )
