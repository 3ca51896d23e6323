"""Stage 1 of 7, emit: records of the standard library's `logging`. Thread: caller.

`FapilogHandler` is native where it is hot: `native/src/python/stdlib.rs`. Records that hold something odd
come back here, to `odd_records`. Neither changes a record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fapilog import _native, otel_private
from fapilog.bridges import logging_hook, odd_records, passing_on
from fapilog.bridges.shared import Loggers
from fapilog.diagnostics import say
from fapilog.exceptions import recorded


class FapilogHandler(_native.RecordHandler, logging.Handler):
    """Passes records of `logging` to a pipeline. Never raises, and takes no lock.

    `configure_otel()` needs none on any logger: see `install`. This is for a `dictConfig` of your own, or for
    loggers that propagate nowhere. A record that meets several handlers of one pipeline is taken once.
    Which records such a logger makes is for `setLevel`: levels of ours reach what `install` serves.

    Mapping: docs/reference/bridges.md. With a formatter, what it formats becomes the body.

    Args:
        handle: Where records go. Default: the pipeline of the process.
        level: Records below are ignored. Default: all.

    Example:
        >>> log = logging.getLogger("billing.audit")
        >>> log.propagate = False
        >>> log.setLevel(logging.INFO)
        >>> log.addHandler(FapilogHandler())
    """

    def __init__(
        self, handle: _native.PipelineHandle | None = None, level: int | str = logging.NOTSET
    ) -> None:
        logging.Handler.__init__(self, level)
        self._loggers = Loggers(handle)
        self.connect(self._loggers.handle)

    def _passes(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """What the filters make of a record; None: refused. A filter that raises lets it pass."""
        try:
            answer: Any = self.filter(record)
        except Exception as error:
            say("stdlib-filter-failed", f"a filter of the logging bridge raised {type(error).__name__}")
            return record
        if not answer:
            return None
        # Since Python 3.12 a filter may put another record in its place.
        return answer if isinstance(answer, logging.LogRecord) else record

    def _ignores(self, record: logging.LogRecord) -> bool:
        """Whether `fapilog.hooks` took this record of `asyncio`, or a library made it while it delivers."""
        return recorded.get() if record.name == "asyncio" else otel_private.instrumentation_suppressed()

    def _was_taken(self, record: logging.LogRecord) -> bool:
        """Whether this record is an event that a processor of structlog took."""
        return passing_on.was_taken(record)

    def _take_carefully(self, record: logging.LogRecord, floor: int | None) -> None:
        """Pass an odd record on. A field that cannot be used gets its default, and the record is kept."""
        try:
            self._pass_on(record, floor)
        except Exception:
            # Raised while the record was read, so nothing was emitted yet.
            try:
                self._pass_on(odd_records.corrected(record), floor)
            except Exception as error:
                say("stdlib-record-lost", f"a record of logging could not be read: {type(error).__name__}")

    def _pass_on(self, record: logging.LogRecord, floor: int | None) -> None:
        if floor is not None and record.levelno < floor:
            return
        logger, fields = self._loggers[record.name], odd_records.cheap_fields(record)
        if logger.is_enabled_for(fields["severity_number"]):
            fields |= odd_records.costly_fields(record, self.format if self.formatter else None)
        else:
            # The native gate counts it; nothing is formatted for it. The template is passed on, because
            # the level or the pressure may have changed since it was asked.
            fields["body"] = record.msg
        logger.emit_record(**fields)


def install(
    handle: _native.PipelineHandle, *, level: int | str = logging.NOTSET, capture_warnings: bool = False
) -> Callable[[], None]:
    """Let records of `logging` reach a pipeline, whoever configures `logging` before or after.

    Hooks `logging.Logger.callHandlers`, once per process, and adds no handler. So `dictConfig`, `fileConfig`,
    `basicConfig(force=True)` and `root.handlers = []` take nothing away, `basicConfig()` still finds an
    unconfigured root logger, and `logging.lastResort` still speaks when there is no handler, unless the
    pipeline has a console of its own. Records are taken that a handler on the root logger would get, or one
    on a logger of uvicorn, gunicorn or celery, whatever `propagate` says at that moment.

    Levels and rules of the pipeline decide which records `logging` makes, also when they change later; other
    handlers get what they would get without us. When nobody has configured `logging` yet, that is INFO and
    above: the default of the root logger, WARNING, would keep every INFO record from us.

    When OpenTelemetry's own `LoggingHandler` is on the root logger, nothing is installed, and that is said on
    stderr: each record would be exported twice.

    Args:
        handle: Where records go.
        level: Records below are ignored. Default: all.
        capture_warnings: Also let `warnings` speak through `logging`.

    Returns:
        A function that takes all of it back.
    """
    stock = logging_hook.stock_handler()
    if stock is not None:
        name = f"{type(stock).__module__}.{type(stock).__qualname__}"
        say(
            "stock-handler",
            f"{name} is on the root logger and keeps the records of logging; take it off to have ours",
        )
        return lambda: None
    steps = [logging_hook.hook(FapilogHandler(handle, level))]
    if capture_warnings:
        steps.append(logging_hook.capture_warnings())

    def remove() -> None:
        while steps:
            steps.pop()()

    return remove
