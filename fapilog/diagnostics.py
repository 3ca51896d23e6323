"""The logger's own voice: one line on stderr, once per subject and minute, and the `on_error` callback.

Neither goes through the pipeline and neither raises, so a broken pipeline can still say that it is broken.
Threads: any. Imports `errors` and the native core only.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import TextIO, TypeVar

from fapilog import _native
from fapilog.errors import ConfigurationError, FapilogError, OffendingSetting, Problem

# How parts of the pipeline are told whom to tell: code, message, and whom it is about; `say` is one.
Tell = Callable[[str, str, str], object]
Made = TypeVar("Made")

INTERVAL_SECONDS = 60.0
# Subjects remembered before the memory is cleared: names come from outside, so memory needs a bound.
_SUBJECTS_LIMIT = 1_024

# What is said on stderr instead of being raised. `docs/reference/errors.md` lists them.
NOTICES: Mapping[str, str] = MappingProxyType(
    {
        "variable-ignored": "An OTEL_ variable holds a value that cannot be used. The OpenTelemetry"
        " specification demands a warning and the default, not an error.",
        "variable-unknown": "A FAPILOG_ variable has the name of no setting: it has no effect. Values are not"
        " shown.",
        "setting-without-effect": "A setting of `spool` was given and `spool.directory` was not, or one of"
        " `ring` while `durability` is `memory`, or `redaction.actions` (also of a destination) while its"
        " mode is `keys`: values are then not looked for.",
        "keys-beside-records": "The file with the keys of tokens lies in the same directory tree as records."
        " Who gets the records must not get the keys with them (GDPR 4(5)).",
        "logged-before": "Records were logged before `configure_otel()`, which asks for more redaction than"
        " the defaults that applied to them: they went to the console, and to the collector where an endpoint"
        " is set. `FAPILOG_REDACTION` and `FAPILOG_COMPLIANCE` apply from the first record.",
        "profile-exempted": "A rule of your own with the action `keep` lets values through, whatever type"
        " they have, although a compliance profile is in force. An assessor may ask for its reason.",
        "config-file-unread": "OTEL_CONFIG_FILE is set, and `configure_otel()` does not read it: that is for"
        " `opentelemetry-instrument` (docs/how-to/declarative_configuration.md).",
        "batches-share": "Batch processors of a configuration file name different numbers. One buffer serves"
        " all exporters, and the smaller number keeps what both promise.",
        "processors-unused": "The setting `processors` names log record processors, and the provider is not"
        " fapilog's: it runs those that are added to it.",
        "timeout-unit": "OTEL_EXPORTER_OTLP_TIMEOUT is 1000 or more. OpenTelemetry for Python reads seconds,"
        " the specification says milliseconds; a number this large is taken as milliseconds.",
        "configuration-failed": "A record came before `configure_otel()`, and the settings in the environment"
        " are wrong. Only the console is used; `configure_otel()` would have raised. Where a package that"
        " reading settings needs cannot be imported, nothing is logged, and `records-lost` counts the calls.",
        "flight-recorder": "The flight recorder does not learn how requests end.",
        "provider-reused": "Somebody installed a provider for logs, spans or metrics before; it stays.",
        "stock-exporter": "A stock exporter of spans or metrics reports a failure. Log records do not depend"
        " on it.",
        "plugin-broken": "A plugin of an installed package cannot be used; it is left out, all else goes on."
        " `fapilog plugins list --check` shows all.",
        "auth-failed": "An auth function raised, was too slow, or returned no headers. Records wait.",
        "export-warning": "A receiver took all records of a request and had something to say about them.",
        "stdlib-record-lost": "A record of `logging` could not be read, usually because of a method of its"
        " arguments.",
        "stdlib-filter-failed": "A filter of the bridge for `logging` raised. The record is kept.",
        "structlog-record-lost": "An event of structlog could not be read.",
        "loguru-record-lost": "A record of loguru could not be read.",
        "stock-handler": "OpenTelemetry's own `LoggingHandler` is on the root logger. Records of `logging`"
        " stay with it: together we would export each one twice.",
        "handler-lock": 'Under `overflow="wait"` a call waits for room inside of a handler of `logging` that'
        " is not ours and is locked meanwhile: all that log through it wait, event loops too.",
        "otel-record-lost": "A record of the OpenTelemetry logs API could not be read.",
        "unscanned": "A span, a metric or a record of another provider could not be read for redaction. It is"
        " exported without its content.",
        "not-redacted": "A provider that somebody installed before, or a new release of OpenTelemetry, does"
        " not let fapilog hide secrets in what it exports; the message says which, and what to wrap.",
        "enricher-failed": "An enricher raised, was too slow or returned no mapping. Records and resource go"
        " without its attributes, or with its last ones.",
        "batch-processor-failed": "A batch processor raised, was too slow or returned something else than"
        " records. The block passes on as it was: redacted already, but not processed.",
        "delivery-not-ended": "An exporter did not end in time when its provider was shut down.",
        "otel-keyword-unknown": "`emit` of the OpenTelemetry logs API was called with a keyword that this"
        " version does not know.",
        "attributes-dropped": "Records of a logger had more attributes than `limits.attribute_count` allows;"
        " the first ones are kept, and the record says how many were left out.",
        "delivered-twice": "A processor with an OTLP exporter of OpenTelemetry was added to a provider whose"
        " own exporter `otlp` is there by default. Leave one of them out.",
        "scope-without-name": "A logger of the OpenTelemetry API was asked for without a name, or with one"
        " that is no text.",
        "configurator-failed": "A logger configurator of the OpenTelemetry SDK raised; the logger is not"
        " restricted by it.",
        "processor-failed": "A log record processor raised. The record goes on as the processor left it.",
        "records-lost": "The process ends with records that were not delivered, or with calls that went"
        " nowhere because it could not be configured: their number.",
    }
)


def one_line(text: str) -> str:
    """Escape everything unprintable, so that a value can neither forge a line nor command a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown_error(error: BaseException) -> str:
    """Return type and text of an error of somebody else's code, whose `__str__` may raise as well.

    Example:
        >>> shown_error(ValueError("too late"))
        'ValueError: too late'
    """
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


class Voice:
    """Says each subject at most once per interval, and how often it kept silent.

    Args:
        stream: Where to write; None looks `sys.stderr` up at each line.
        clock: Monotonic seconds.
        interval_seconds: Silence after a line about the same subject; 60 by default.

    Example:
        >>> Voice(sys.stdout).say("variable-ignored", "OTEL_BLRP_SCHEDULE_DELAY = 'soon' is ignored")
        fapilog: OTEL_BLRP_SCHEDULE_DELAY = 'soon' is ignored [variable-ignored]
        True
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._interval_seconds = interval_seconds
        self.forget()

    def forget(self) -> None:
        """Forget what was said; also makes the voice usable in a forked child whose parent held the lock."""
        self._lock = threading.RLock()
        self._speaking = threading.local()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def say(self, code: str, message: str, about: str = "") -> bool:
        """Write one line to stderr unless the same subject was said within the interval.

        Args:
            code: Stable slug, printed in brackets.
            message: What, the values, what to do.
            about: Tells subjects with the same code apart, such as the name of a variable.

        Returns:
            True if a line was written. Never raises, not even on a closed stream.
        """
        if getattr(self._speaking, "now", False):  # the stream itself logs: one level is enough
            return False
        self._speaking.now = True
        try:
            silenced = self._due((code, about))
            if silenced is None:
                return False
            more = f" ({silenced} more like this before)" if silenced else ""
            stream = self._stream if self._stream is not None else sys.stderr
            stream.write(f"fapilog: {one_line(message)} [{code}]{more}\n")
            stream.flush()
        except Exception:
            return False  # nobody is left to tell
        else:
            return True
        finally:
            self._speaking.now = False

    def _due(self, subject: tuple[str, str]) -> int | None:
        """Number of lines held back since the last one, or None if it is too early for another."""
        with self._lock:
            now = self._clock()
            last, silenced = self._said.get(subject, (None, 0))
            if last is not None and now - last < self._interval_seconds:
                self._said[subject] = (last, silenced + 1)
                return None
            if len(self._said) >= _SUBJECTS_LIMIT:
                self._said.clear()
            self._said[subject] = (now, 0)
            return silenced


_voice = Voice()
say = _voice.say

_delivering_thread = threading.local()
_delivering_context: ContextVar[bool] = ContextVar("fapilog_delivering", default=False)


def mark_delivering() -> None:
    """Mark the calling thread, and what inherits its context, as one that delivers records.

    Loggers drop what it logs. For good: only threads that do nothing else call it.
    """
    _native.mute_thread()
    _native.watch_delivering(_delivering_context.get)
    _delivering_thread.marked = True
    _delivering_context.set(True)


def while_delivering(make: Callable[[], Made]) -> Made:
    """Make something for a delivering thread on another one, and drop what is logged meanwhile.

    Example:
        >>> while_delivering(is_delivering), is_delivering()
        (True, False)
    """
    _native.watch_delivering(_delivering_context.get)

    def marked() -> Made:
        _delivering_context.set(True)
        return make()

    return copy_context().run(marked)


def is_delivering() -> bool:
    """Tell whether the caller runs on behalf of an exporter or of a batch processor.

    What such code logs would come back to it as a new record, and so on for ever: bridges drop it.
    """
    return getattr(_delivering_thread, "marked", False) or _delivering_context.get()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_voice.forget)


class OnError:
    """Calls the user's `on_error` with errors of the logger, isolated and rate-limited.

    What the callback raises is swallowed and counted. What it causes itself, by logging, does not call it
    again. `KeyboardInterrupt` and `SystemExit` pass: they are not the callback's.

    Args:
        callback: Takes one `FapilogError`; returns at once. It runs on the thread that met the error.
        clock: Monotonic seconds.
        interval_seconds: Silence after a call with the same code; 1 by default.

    Attributes:
        called: Calls made.
        failed: Calls that raised.
        suppressed: Errors not passed on, because of the rate limit or because the callback was running.

    Raises:
        ConfigurationError: `callback-invalid`, if the callback is not an ordinary callable.

    Example:
        >>> dispatch = OnError(lambda error: print(error.code))
        >>> dispatch(FapilogError("export-timeout", "no answer after 10000 ms"))
        export-timeout
        True
    """

    def __init__(
        self,
        callback: Callable[[FapilogError], object],
        clock: Callable[[], float] = time.monotonic,
        interval_seconds: float = 1.0,
    ) -> None:
        if not callable(callback) or inspect.iscoroutinefunction(callback):
            raise ConfigurationError([_callback_problem(callback)])
        self._callback = callback
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._running = threading.local()
        self._last: dict[str, float] = {}
        self.called = 0
        self.failed = 0
        self.suppressed = 0

    def __call__(self, error: FapilogError) -> bool:
        """Pass one error on; True if the callback was called and returned."""
        # No lock: a forked child must not inherit a held one, and a rare second call does no harm.
        now = self._clock()
        too_early = now - self._last.get(error.code, -self._interval_seconds) < self._interval_seconds
        if too_early or getattr(self._running, "now", False):
            self.suppressed += 1
            return False
        self._last[error.code] = now
        self._running.now = True
        self.called += 1
        try:
            self._callback(error)
        except Exception:
            self.failed += 1
            return False
        finally:
            self._running.now = False
        return True


def _callback_problem(callback: object) -> Problem:
    is_async = inspect.iscoroutinefunction(callback)
    what = "on_error is a coroutine function" if is_async else "on_error is not callable"
    remedy = "pass a function that takes one error and returns at once"
    setting = OffendingSetting("on_error", f"<{type(callback).__name__}>", "argument", remedy)
    return Problem("callback-invalid", what, (setting,), remedy)
