"""All three signals from the environment: OpenTelemetry's configurator for two, our pipeline for logs.

Threads: the main one, before the application starts.
"""

from __future__ import annotations

import os
from typing import Any

from fapilog import otel_private, resource_detector, telemetry
from fapilog.distro.environment import for_settings
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings


def configure(**arguments: Any) -> telemetry.Telemetry:
    """Set up all three signals from the environment.

    Args:
        **arguments: For OpenTelemetry's configurator, such as `auto_instrumentation_version`.
    """
    settings = Settings.load(environ=for_settings(os.environ))
    made: list[LoggerProvider] = []

    def make(*, resource: Any, **_: Any) -> LoggerProvider:
        made.append(
            LoggerProvider(resource, settings=settings, exporters=telemetry.chosen_exporters(settings))
        )
        return made[-1]

    attributes = {**(arguments.pop("resource_attributes", None) or {}), **resource_detector.distribution()}
    arguments |= {"resource_attributes": attributes, "setup_logging_handler": False}
    if not otel_private.initialize_sdk(make, **arguments):
        return telemetry.configure_otel(settings=settings)
    return telemetry.adopt(made[0])
