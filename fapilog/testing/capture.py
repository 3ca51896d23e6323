"""Captures log records inside a `with` block, for tests: redacted and encoded as they would leave.

A tap on the pipeline sees each record on the thread that logs it, before the call returns: no test waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, overload

from fapilog import in_force
from fapilog._native import Pipeline
from fapilog.bridges import stdlib
from fapilog.logger import default_handle
from fapilog.otel.provider import LoggerProvider
from fapilog.providers import Telemetry
from fapilog.settings import Settings
from fapilog.severity import Severity
from fapilog.testing.decoding import ReceivedLogRecord, decode_log_record

_SEQUENCE = "fapilog.sequence"
_FIELDS = frozenset(field.name for field in fields(ReceivedLogRecord))


class CapturedLogs(Sequence[ReceivedLogRecord]):
    """The records captured so far, in the order in which they were accepted; may be read from any thread.

    Each is a `ReceivedLogRecord` with its scope's name. The resource is not in it, nor is `fapilog.sequence`:
    both are added for delivery. Reading decodes with the OpenTelemetry protobuf classes, so bytes that a
    receiver could not read fail the test.

    Example:
        >>> import fapilog
        >>> with capture_logs() as logs:
        ...     _ = fapilog.get_logger("orders").info("order placed", order_id=42)
        >>> len(logs), logs[0].body, logs[-1].scope_name, logs.bodies
        (1, 'order placed', 'orders', ['order placed'])
        >>> logs.find(body="order placed").attributes
        {'order_id': 42}
    """

    def __init__(self) -> None:
        # Re-entrant: a finaliser may log while this thread decodes.
        self._changed = threading.Condition(threading.RLock())
        self._encoded: list[tuple[bytes, str]] = []
        self._decoded: list[ReceivedLogRecord] = []

    def _take(self, record: bytes, scope: str) -> None:
        with self._changed:
            self._encoded.append((record, scope))
            self._changed.notify_all()

    def _records(self) -> list[ReceivedLogRecord]:
        with self._changed:
            for record, scope in self._encoded[len(self._decoded) :]:
                decoded = decode_log_record(record, scope)
                decoded.attributes.pop(_SEQUENCE, None)
                self._decoded.append(decoded)
            return list(self._decoded)

    def __len__(self) -> int:
        with self._changed:
            return len(self._encoded)

    @overload
    def __getitem__(self, index: int) -> ReceivedLogRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReceivedLogRecord]: ...
    def __getitem__(self, index: int | slice) -> ReceivedLogRecord | list[ReceivedLogRecord]:
        return self._records()[index]

    def __iter__(self) -> Iterator[ReceivedLogRecord]:
        return iter(self._records())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, CapturedLogs)):
            return self._records() == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<CapturedLogs {self._records()!r}>"

    @property
    def encoded(self) -> list[bytes]:
        """The records as OTLP `LogRecord` bytes, as they leave."""
        with self._changed:
            return [record for record, _ in self._encoded]

    @property
    def bodies(self) -> list[Any]:
        """The bodies, in order."""
        return [record.body for record in self._records()]

    def find(self, **wanted: Any) -> ReceivedLogRecord:
        """Return the first record whose fields have these values.

        Args:
            **wanted: Fields of `ReceivedLogRecord`, such as `body`, `severity_number` or `scope_name`. In
                `attributes` give only those that matter: the record may have more.

        Raises:
            LookupError: No record is like that; the message lists what there is.
            TypeError: There is no such field.
        """
        found = self.find_all(**wanted)
        if not found:
            there = "\n".join(
                f"  {record.severity_text} {record.body!r} {record.attributes}" for record in self
            )
            raise LookupError(f"no record with {wanted}; captured:\n{there or '  nothing'}")
        return found[0]

    def find_all(self, **wanted: Any) -> list[ReceivedLogRecord]:
        """Return every record whose fields have these values; arguments as for `find`."""
        unknown = sorted(wanted.keys() - _FIELDS)
        if unknown:
            raise TypeError(
                f"a record has no field {', '.join(unknown)}; it has {', '.join(sorted(_FIELDS))}"
            )
        return [record for record in self._records() if _matches(record, wanted)]

    def wait_for(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedLogRecord]:
        """Block until at least so many records were logged by other threads, and return all of them.

        Raises:
            TimeoutError: There were fewer within `timeout_seconds`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._encoded) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._encoded)} of {count} records within {timeout_seconds} s")
            return self._records()

    def clear(self) -> None:
        """Forget what was captured so far."""
        with self._changed:
            self._encoded.clear()
            self._decoded.clear()


def _matches(record: ReceivedLogRecord, wanted: dict[str, Any]) -> bool:
    plain = {name: value for name, value in wanted.items() if name != "attributes"}
    some = wanted.get("attributes", {})
    return all(getattr(record, name) == value for name, value in plain.items()) and all(
        name in record.attributes and record.attributes[name] == value for name, value in some.items()
    )


class _Isolated:
    """The provider of captures while nothing is configured: made by the first, put away by the last."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._provider: LoggerProvider | None = None
        self._undo: Callable[[], object] = lambda: None
        self._remove_bridge: Callable[[], object] = lambda: None

    def enter(self) -> Pipeline:
        with self._lock:
            provider = self._provider
            if provider is None:
                provider = self._install()
            self._users += 1
            return provider.pipeline

    def _install(self) -> LoggerProvider:
        settings = Settings.load(environ={}, level=Severity.TRACE, sequence=False)
        provider = LoggerProvider(settings=settings, exporters=["none"])
        replaced = default_handle.pipeline
        self._remove_bridge = stdlib.install(provider.handle)
        default_handle.attach(provider.pipeline)

        def undo() -> None:
            self.step_aside()
            # configure_otel() inside the block attached another one, which stays.
            if default_handle.pipeline is provider.pipeline:
                default_handle.attach(replaced)
            provider.shutdown()

        self._provider, self._undo = provider, undo
        return provider

    def step_aside(self) -> None:
        """`configure_otel()` has a bridge of its own from here on, and each record is wanted once."""
        with self._lock:
            remove_bridge, self._remove_bridge = self._remove_bridge, lambda: None
            remove_bridge()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._provider = None
                self._undo()


_isolated = _Isolated()


class _Taps:
    """Taps of one capture: on what is configured now, and on all that is configured during the block."""

    def __init__(self, captured: CapturedLogs) -> None:
        # One object each: a tap is removed by identity.
        self._tap, self._follower = captured._take, self._add_configured
        self._pipelines: list[Pipeline] = []

    def add(self, pipeline: Pipeline) -> None:
        if not any(pipeline is known for known in self._pipelines):
            pipeline.add_tap(self._tap)
            self._pipelines.append(pipeline)

    def follow(self) -> None:
        in_force.followers.append(self._follower)

    def _add_configured(self, telemetry: Telemetry) -> None:
        _isolated.step_aside()
        self.add(telemetry.logger_provider.pipeline)

    def remove(self) -> None:
        if self._follower in in_force.followers:
            in_force.followers.remove(self._follower)
        for pipeline in self._pipelines:
            pipeline.remove_tap(self._tap)


@contextmanager
def capture_logs(*providers: LoggerProvider) -> Iterator[CapturedLogs]:
    """Capture every log record accepted inside the block, of all threads and tasks.

    After `configure_otel()` the records of the configured pipeline are captured, and are exported as usual;
    its levels apply. While nothing is configured, records of fapilog and of `logging` are captured from TRACE
    upward, nothing is exported, the environment is not read, and what was there before is put back. When
    `configure_otel()` is called inside the block, as by an application that a test starts, its pipeline is
    captured from then on.

    Blocks may be nested, and may overlap in several threads: each captures everything.

    Args:
        *providers: Instead of what the process is configured with: providers of your own.

    Example:
        >>> import fapilog
        >>> with capture_logs() as logs:
        ...     _ = fapilog.get_logger("orders").warning("stock is low", item="tea", left=3)
        >>> logs.find(body="stock is low").attributes["left"]
        3
    """
    captured = CapturedLogs()
    taps = _Taps(captured)
    try:
        if providers:
            for provider in providers:
                taps.add(provider.pipeline)
            yield captured
        else:
            with _of_the_process() as pipeline:
                taps.add(pipeline)
                taps.follow()
                yield captured
    finally:
        taps.remove()


@contextmanager
def _of_the_process() -> Iterator[Pipeline]:
    configured = in_force.current()
    if configured is not None:
        yield configured.logger_provider.pipeline
        return
    pipeline = _isolated.enter()
    try:
        yield pipeline
    finally:
        _isolated.leave()
