"""`OTEL_PYTHON_DISTRO=fapilog opentelemetry-instrument ...`: the process is configured before its first line.

OpenTelemetry loads the distribution, then the configurator, then the instrumentors, inside `sitecustomize`.
Traces and metrics are set up by OpenTelemetry's own configurator, so every `OTEL_*` variable means what its
documentation says; logs go through our pipeline: `configuration.py`. Threads: the main one.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]

_NAME = "fapilog"
_CONFIG_FILE = "OTEL_CONFIG_FILE"
_CONFIGURATOR = "OTEL_PYTHON_CONFIGURATOR"
_LOGGER_PROVIDER = "OTEL_PYTHON_LOGGER_PROVIDER"
# `configure_otel()` sends all signals over HTTP where nobody says otherwise (OTLP specification: SHOULD be
# http/protobuf); the SDK's configurator alone would export no spans, and over gRPC.
_DEFAULTS = {
    _CONFIGURATOR: _NAME,
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}
_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"
# How multiprocessing starts the process that cleans up after the others. It runs nothing of the application.
_HELPER = "from multiprocessing.resource_tracker import main"


class FapilogDistro(BaseDistro):  # type: ignore[misc]
    """The distribution `fapilog`.

    It fills in what the environment leaves open, takes the logging instrumentation of OpenTelemetry out (two
    bridges would deliver every record twice), and keeps quiet about configurators that are not used.
    """

    # OpenTelemetry keeps one instance per class, and looks in the parents too: each needs its own place.
    _instance = None

    def _configure(self, **_: Any) -> None:
        logging.getLogger(_LOADER).addFilter(_not_about_other_configurators)
        if _is_helper():
            return
        for name, value in _DEFAULTS.items():
            if not os.environ.get(name, "").strip():
                os.environ[name] = value
        # This one would make and pin a provider of its own for whoever asks first.
        if os.environ.get(_LOGGER_PROVIDER) == _NAME:
            del os.environ[_LOGGER_PROVIDER]

    def load_instrumentor(self, entry_point: Any, **options: Any) -> None:
        """Load an instrumentation that the settings `plugins.*` allow, but for those that bridge `logging`.

        The configurator has done that. Of the settings, only the variables count here.
        """
        if _is_helper() or entry_point.name == _NAME or _is_refused(entry_point):
            return
        if entry_point.name == "logging":
            if os.environ.get("OTEL_PYTHON_LOG_CORRELATION", "").strip().lower() != "true":
                return
            # Trace ids for the formats of other handlers, and no handler of its own.
            options["enable_log_auto_instrumentation"] = False
        super().load_instrumentor(entry_point, **options)


class FapilogConfigurator:
    """The configurator `fapilog`; works under other distributions too, with `OTEL_PYTHON_CONFIGURATOR`.

    Raises:
        ConfigurationError: If a setting is wrong. `opentelemetry-instrument` prints it, and the application
            starts without telemetry.
    """

    def configure(self, **arguments: Any) -> None:
        """Set up all three signals; called once by OpenTelemetry's loader with its version."""
        if _is_helper():
            return
        others = [] if os.environ.get(_CONFIGURATOR) == _NAME else _other_configurators()
        if others:
            # Nobody asked for ours, but it came first and would take the place of the one that is meant.
            others[0].load()().configure(**arguments)
        elif os.environ.get(_CONFIG_FILE):
            from fapilog.distro import otel_config_setup  # noqa: PLC0415 - only with a file

            otel_config_setup.configure(os.environ[_CONFIG_FILE])
        else:
            from fapilog.distro import configuration  # noqa: PLC0415 - helpers of multiprocessing pass by here

            configuration.configure(**arguments)


def _is_refused(point: EntryPoint) -> str:
    from fapilog.settings.plugins import policy_of_variables  # noqa: PLC0415 - as the configurator

    distribution = point.dist.name if point.dist is not None else ""
    return policy_of_variables(os.environ).refusal(point.group, point.name, distribution)


def _other_configurators() -> list[EntryPoint]:
    return [found for found in entry_points(group="opentelemetry_configurator") if found.name != _NAME]


def _is_helper() -> bool:
    """Whether this interpreter is one that multiprocessing runs for itself."""
    return any(argument.startswith(_HELPER) for argument in sys.orig_argv)


def _not_about_other_configurators(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Configuration of %s not loaded")
