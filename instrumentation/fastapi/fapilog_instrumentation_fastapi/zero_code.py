"""`FastAPIInstrumentor`: every application that is made from now on is instrumented.

OpenTelemetry loads it by its entry point, under `opentelemetry-instrument`. The contrib instrumentor is
loaded there as well; it replaces the class `FastAPI`, and ours wraps `FastAPI.__init__`, so neither hides the
other, in whichever order they come. Threads: the configuring one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

import fastapi
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from fapilog_instrumentation_fastapi.instrumentor import instrument_fastapi, instrumented


class FastAPIInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments every FastAPI application made after `instrument()`, until `uninstrument()`."""

    _original: Callable[..., None] | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed for it to do anything."""
        return ("fastapi >= 0.142",)

    def _instrument(self, **options: Any) -> None:
        original: Any = fastapi.FastAPI.__init__
        known = {"tracer_provider", "meter_provider", "logger_provider", "telemetry", "settings"}
        given = {name: value for name, value in options.items() if name in known}

        @wraps(original)
        def initialise(app: fastapi.FastAPI, *args: Any, **kwargs: Any) -> None:
            original(app, *args, **kwargs)
            if instrumented(app) is None:
                instrument_fastapi(app, **given)

        self._original = original
        setattr(fastapi.FastAPI, "__init__", initialise)  # noqa: B010 - mypy knows the signature

    def _uninstrument(self, **_: Any) -> None:
        if self._original is not None:
            setattr(fastapi.FastAPI, "__init__", self._original)  # noqa: B010
            self._original = None
