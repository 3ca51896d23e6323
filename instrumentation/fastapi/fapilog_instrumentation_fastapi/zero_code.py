"""`FastAPIInstrumentor`: every application that is made from now on is instrumented.

OpenTelemetry loads it by its entry point, under `opentelemetry-instrument`. The contrib instrumentor is
loaded there as well; it replaces the class `FastAPI`, and ours wraps `FastAPI.__init__`, so neither hides the
other, in whichever order they come. Threads: the configuring one.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Collection
from functools import wraps
from importlib.metadata import version
from typing import Any

import fastapi
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from fapilog import PluginMetadata
from fapilog.errors import ConfigurationError
from fapilog_instrumentation_fastapi.instrumentor import (
    chosen,
    instrument_fastapi,
    instrumented,
    uninstrument_fastapi,
)

# What `instrument()` passes on beside fields of the settings.
_PASSED_ON = frozenset({"telemetry", "logger_provider", "tracer_provider", "meter_provider", "hooks"})
# Options of the contrib instrumentor, and what OpenTelemetry's loader gives to each: not for us.
_OF_OTHERS = frozenset(
    {
        "distro",
        "server_request_hook",
        "client_request_hook",
        "client_response_hook",
        "excluded_urls",
        "exclude_spans",
        "http_capture_headers_server_request",
        "http_capture_headers_server_response",
        "http_capture_headers_sanitize_fields",
    }
)
_log = logging.getLogger("fapilog_instrumentation_fastapi")


class FastAPIInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments every FastAPI application made after `instrument()`, until `uninstrument()`.

    `instrument()` takes what `instrument_fastapi` takes, and ignores the options of the contrib instrumentor.
    Settings that it is not given come from FAPILOG_FASTAPI_* variables. A variable that is wrong stops no
    service: it is printed, and the applications have no request logging.
    `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=fapilog_fastapi` switches it off.

    Raises:
        ConfigurationError: By `instrument()`, if it is given settings and one is wrong.

    Example:
        >>> FastAPIInstrumentor().instrument()
        >>> app = fastapi.FastAPI()
        >>> FastAPIInstrumentor().uninstrument()
    """

    fapilog_plugin = PluginMetadata(
        name="fapilog_fastapi",
        version=version("fapilog-instrumentation-fastapi"),
        type="instrumentor",
        description="Access records, correlation ids and failures of every FastAPI application.",
    )

    # OpenTelemetry keeps one instance per class, and looks in the parents too.
    _instance = None

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(self, "_apps"):
            self._apps: weakref.WeakSet[fastapi.FastAPI] = weakref.WeakSet()
            self._original: Any = None
            self._initialise: Any = None
            self._patched: type[fastapi.FastAPI] = fastapi.FastAPI

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed for it to do anything."""
        return ("fastapi >= 0.142",)

    def _instrument(self, **options: Any) -> None:
        given = {name: value for name, value in options.items() if name in _PASSED_ON}
        fields = {n: v for n, v in options.items() if n not in _PASSED_ON | _OF_OTHERS}
        try:
            settings = chosen(fields.pop("settings", None), fields)
        except ConfigurationError as error:
            if fields:
                raise
            _log.error("applications have no request logging: %s", error)
            return
        original: Any = fastapi.FastAPI.__init__

        @wraps(original)
        def initialise(app: fastapi.FastAPI, *args: Any, **kwargs: Any) -> None:
            original(app, *args, **kwargs)
            # Somebody may have wrapped this one, and then it stays behind.
            if self._initialise is not initialise or instrumented(app) is not None:
                return
            try:
                instrument_fastapi(app, settings, **given)
            except Exception:
                _log.exception("an application has no request logging")
                return
            done = instrumented(app)
            if done is not None:
                done.by_itself = True
            self._apps.add(app)

        # Contrib's instrumentor puts another class in the place of this one, or this one back.
        self._patched, self._original, self._initialise = fastapi.FastAPI, original, initialise
        setattr(self._patched, "__init__", initialise)  # noqa: B010 - mypy knows the signature

    def _uninstrument(self, **_: Any) -> None:
        if self._initialise is not None and vars(self._patched).get("__init__") is self._initialise:
            setattr(self._patched, "__init__", self._original)  # noqa: B010
        self._initialise = None
        for app in list(self._apps):
            uninstrument_fastapi(app)
        self._apps.clear()
