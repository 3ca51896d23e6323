"""`FastAPIInstrumentor`: every application that is made from now on is instrumented.

OpenTelemetry loads it by its entry point, under `opentelemetry-instrument`. The contrib instrumentor is
loaded there as well; it replaces the class `FastAPI`, and ours wraps `FastAPI.__init__`, so neither hides the
other, in whichever order they come. Threads: the configuring one.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection
from functools import wraps
from typing import Any

import fastapi
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from fapilog_instrumentation_fastapi.instrumentor import (
    instrument_fastapi,
    instrumented,
    uninstrument_fastapi,
)

# What `instrument()` passes on; options of the contrib instrumentor's own are not for us.
_OPTIONS = frozenset({"settings", "telemetry", "logger_provider", "tracer_provider", "meter_provider"})


class FastAPIInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments every FastAPI application made after `instrument()`, until `uninstrument()`.

    Settings come from FAPILOG_FASTAPI_* variables. `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=fapilog_fastapi`
    switches it off.

    Example:
        >>> FastAPIInstrumentor().instrument()
        >>> app = fastapi.FastAPI()
        >>> FastAPIInstrumentor().uninstrument()
    """

    # OpenTelemetry keeps one instance per class, and looks in the parents too.
    _instance = None

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(self, "_apps"):
            self._apps: weakref.WeakSet[fastapi.FastAPI] = weakref.WeakSet()
            self._original: Any = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed for it to do anything."""
        return ("fastapi >= 0.142",)

    def _instrument(self, **options: Any) -> None:
        given = {name: value for name, value in options.items() if name in _OPTIONS}
        original: Any = fastapi.FastAPI.__init__

        @wraps(original)
        def initialise(app: fastapi.FastAPI, *args: Any, **kwargs: Any) -> None:
            original(app, *args, **kwargs)
            if instrumented(app) is None:
                instrument_fastapi(app, **given)
                done = instrumented(app)
                if done is not None:
                    done.by_itself = True
                self._apps.add(app)

        self._original = original
        setattr(fastapi.FastAPI, "__init__", initialise)  # noqa: B010 - mypy knows the signature

    def _uninstrument(self, **_: Any) -> None:
        setattr(fastapi.FastAPI, "__init__", self._original)  # noqa: B010
        for app in list(self._apps):
            uninstrument_fastapi(app)
        self._apps.clear()
