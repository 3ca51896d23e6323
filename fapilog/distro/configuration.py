"""All three signals from the environment: OpenTelemetry's configurator for two, our pipeline for logs.

Threads: the main one, before the application starts.
"""

from __future__ import annotations

from typing import Any

from fapilog import in_force, otel_private, resource_detector, telemetry
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings


def configure(**arguments: Any) -> telemetry.Telemetry:
    """Set up all three signals from the environment.

    Args:
        **arguments: For OpenTelemetry's configurator, such as `auto_instrumentation_version`.

    Raises:
        ConfigurationError: If a setting is wrong.
    """
    settings = Settings.load()
    made: list[LoggerProvider] = []

    def make(*, resource: Any, **private: Any) -> LoggerProvider:
        exporters = in_force.chosen_exporters(settings)
        made.append(LoggerProvider(resource, settings=settings, exporters=exporters, **private))
        return made[-1]

    attributes = {**(arguments.pop("resource_attributes", None) or {}), **resource_detector.distribution()}
    arguments |= {"resource_attributes": attributes, "setup_logging_handler": False}
    if not otel_private.initialize_sdk(make, **arguments):
        return telemetry.configure_otel(settings=settings)
    return in_force.adopt(made[0])
