"""Where instrumentation packages come in: each is a distribution of its own, loaded when it is asked for.

Threads: the configuring one.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, TypeVar

from fapilog.errors import MissingDependencyError

_FASTAPI = "fapilog_instrumentation_fastapi"

_App = TypeVar("_App")


def instrument_fastapi(app: _App, settings: Any = None, **options: Any) -> _App:
    """Give a FastAPI or Starlette application correlation ids, access records and server spans.

    It loads the package `fapilog-instrumentation-fastapi` (`pip install 'fapilog[fastapi]'`) and calls its
    `instrument_fastapi`, whose documentation has the options.

    Args:
        app: The application.
        settings: A `RequestLogging`. Default: the environment.
        **options: `telemetry`, providers, or fields of `RequestLogging` such as
            `access={"sample_ratio": 0.1}`.

    Returns:
        The application.

    Raises:
        MissingDependencyError: If the package is not installed; the message has the pip line.
        ConfigurationError: If an option is wrong.
        LifecycleError: `already-configured`, if the application is instrumented with other settings.

    Example:
        >>> from fastapi import FastAPI
        >>> app = instrument_fastapi(FastAPI(), spans="none")
    """
    package = load_fastapi("", "fapilog.instrument_fastapi")
    instrumented: _App = package.instrument_fastapi(app, settings, **options)
    return instrumented


def load_fastapi(module: str, feature: str) -> Any:
    """Load the package for FastAPI, or a module of it.

    Raises:
        MissingDependencyError: If the package is not installed.
    """
    if importlib.util.find_spec(_FASTAPI) is None:
        raise MissingDependencyError("fapilog-instrumentation-fastapi", feature)
    return importlib.import_module(f"{_FASTAPI}.{module}" if module else _FASTAPI)
