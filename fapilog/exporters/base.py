"""Stage 6 of 7, export: what an exporter written in Python is. Threads: the delivery loop calls it.

An exporter has an async `export_batch` and a `name`. OpenTelemetry's own `LogRecordExporter` is taken as
well: `otel_adapter` makes it one of these.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from opentelemetry.sdk._logs.export import LogRecordExporter

from fapilog.batch import LogBatch
from fapilog.exporters.auth import Auth


@dataclass(frozen=True)
class ExportOutcome:
    """What became of the records of one call of `export_batch`.

    Records that are neither `delivered` nor `rejected` are tried again with `retry=True`; without it they
    count as rejected, and the exporter is named on stderr.

    Attributes:
        delivered: Records that the destination took.
        rejected: Records that it refused for good.
        retry: The others may succeed later: the same batch comes again after a pause. An exporter that had
            delivered a part remembers which.
        retry_after_millis: The pause that the destination asked for; None: exponential backoff alone.
        cause: Why not all were delivered, for people. Never a secret.
        error_type: The kind of failure for metrics (`error.type`), one of few: a status code, a type of
            exceptions. Default: `rejected`, or `_OTHER` with `retry`.

    Example:
        >>> ExportOutcome(retry=True, retry_after_millis=2_000, cause="503 Service Unavailable").delivered
        0
    """

    delivered: int = 0
    rejected: int = 0
    retry: bool = False
    retry_after_millis: int | None = None
    cause: str = ""
    error_type: str = ""


@runtime_checkable
class Exporter(Protocol):
    """A destination, called on one event loop in a thread of its own.

    Optional members:

    * `max_in_flight: int`: calls under way at once. Default: `delivery.max_in_flight` (1).
    * `retry: RetrySettings`: pauses between calls for the same batch. Default: `delivery.retry`.
    * `async force_flush(timeout_millis: int) -> bool`: send what the exporter itself still holds.
    * `async shutdown(timeout_millis: int) -> None`: let go of connections and files; called once.

    An exception is an outcome too: `OSError` (which includes refused connections and timeouts) and a
    retryable `ExportError` mean "later"; every other one means that the records are rejected.

    Attributes:
        name: Key of its side of the ledger.

    Example:
        >>> class Counting:
        ...     name = "counting"
        ...     async def export_batch(self, batch):
        ...         return ExportOutcome(delivered=len(batch))
        >>> isinstance(Counting(), Exporter)
        True
    """

    name: str

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send the batch, and return what became of its records."""


@dataclass(frozen=True)
class NativeExporter:
    """A destination that native threads deliver to: what the native side is told about it.

    Attributes:
        name: Key of its side of the ledger.
        settings: `kind` and what that kind takes (`_native.Pipeline`).
        auth: Keeps its headers good, from the delivery loop; None: they stay as they are.
    """

    name: str
    settings: Mapping[str, object]
    auth: Auth | None = None


AnyExporter = str | Exporter | NativeExporter | LogRecordExporter
"""What `exporters=` takes: names, exporters of fapilog, exporters of OpenTelemetry."""


def is_exporter(candidate: Any) -> bool:
    """Tell whether an object is an exporter of ours: it has `export_batch`; a class is not one."""
    method = getattr(candidate, "export_batch", None)
    if isinstance(candidate, type) or not callable(method):
        return False
    # What answers to any name, as a test's mock does, is an OpenTelemetry exporter if it has `export` too.
    return inspect.iscoroutinefunction(method) or not callable(getattr(candidate, "export", None))


def is_otel_exporter(candidate: Any) -> bool:
    """Tell whether an object is an OpenTelemetry `LogRecordExporter`: it has `export` and `shutdown`."""
    methods = (getattr(candidate, name, None) for name in ("export", "shutdown"))
    return not isinstance(candidate, type) and all(callable(method) for method in methods)
