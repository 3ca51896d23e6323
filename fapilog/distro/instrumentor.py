"""Our bridge of `logging` under another distribution whose logs go to the exporter `fapilog`.

Threads: the main one, before the application starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import _logs
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from fapilog import in_force
from fapilog.bridges import stdlib
from fapilog.distro import exporters
from fapilog.logger import default_handle

_STOCK = "logging"


class FapilogLoggingInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Takes records of `logging` and of `fapilog.get_logger()` straight into the pipeline of that exporter.

    Does nothing where the process is configured by us, and where no such exporter is in use. Records of
    `logging` are left to OpenTelemetry's own logging instrumentation where it is active: two bridges would
    deliver each record twice.
    """

    _undo: Callable[[], None] | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the packages that must be installed: none, `logging` is Python's."""
        return ()

    def _instrument(self, **_: Any) -> None:
        exporter = exporters.active()
        resource = getattr(_logs.get_logger_provider(), "resource", None)
        if exporter is None or resource is None or in_force.current() is not None:
            return
        handle = exporter.handle(resource)
        default_handle.attach(handle.pipeline)
        if not _stock_is_active():
            self._undo = stdlib.install(handle, capture_warnings=exporter.settings.capture_warnings)

    def _uninstrument(self, **_: Any) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None


def _stock_is_active() -> bool:
    """Whether OpenTelemetry's logging instrumentation is loaded before or after this one."""
    disabled = [name.strip() for name in _variable("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS").split(",")]
    switched_on = (_variable("OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION") or "true").strip().lower() == "true"
    installed = entry_points(group="opentelemetry_instrumentor", name=_STOCK)
    return bool(installed) and switched_on and _STOCK not in disabled


def _variable(name: str) -> str:
    return os.environ.get(name, "")
