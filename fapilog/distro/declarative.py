"""All three signals from `OTEL_CONFIG_FILE`: OpenTelemetry's own reader for two, our pipeline for logs.

The file alone counts: of the environment only what it names. Threads: the main one, before the application
starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource, ServiceInstanceIdResourceDetector

from fapilog import otel_private, resource_detector, telemetry
from fapilog.errors import ConfigurationError, MissingDependencyError, OffendingSetting, Problem
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings
from fapilog.settings.declarative import translate
from fapilog.settings.otel_file import read

_VARIABLE = "OTEL_CONFIG_FILE"
# Instrumentations that bridge `logging`: our own bridge is in place, and two would deliver each record twice.
_BRIDGES = ("logging", "fapilog")


def configure(path: str) -> telemetry.Telemetry:
    """Set up all three signals from a configuration file of OpenTelemetry.

    Args:
        path: YAML or JSON.

    Raises:
        MissingDependencyError: If `opentelemetry-configuration` is not installed.
        ConfigurationError: If the file does not match OpenTelemetry's schema, or a setting is wrong.
    """
    config = _load(path)
    declared = translate(read(Path(path), os.environ), Settings)
    settings = Settings.declared(declared)
    _complete(config)
    wants_logs, config.logger_provider = config.logger_provider is not None, None
    _configure_sdk(config)
    provider = LoggerProvider(
        _resource(config), settings=settings, exporters=telemetry.chosen_exporters(settings)
    )
    if wants_logs and not settings.disabled:
        otel_private.install_logger_provider(provider)
    return telemetry.adopt(provider)


def _load(path: str) -> Any:
    try:
        from opentelemetry import configuration  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingDependencyError("opentelemetry-configuration", _VARIABLE) from error
    try:
        return configuration.load_config_file(path)
    except configuration.ConfigurationError as error:
        remedy = "correct the file"
        offender = OffendingSetting("path", repr(path), _VARIABLE, remedy)
        raise ConfigurationError([Problem("file-invalid", str(error), (offender,), remedy)]) from error


def _configure_sdk(config: Any) -> None:
    from opentelemetry import configuration  # noqa: PLC0415 - optional

    configuration.configure_sdk(config)


def _complete(config: Any) -> None:
    """Add what every resource of ours says, where the file does not, and take out second bridges."""
    from opentelemetry.configuration import models  # noqa: PLC0415 - optional

    if config.resource is None:
        config.resource = models.Resource()
    given = list(config.resource.attributes or ())
    named = {attribute.name for attribute in given}
    ours = {**_instance(), **resource_detector.distribution()}
    given += [models.AttributeNameValue(name=key, value=ours[key]) for key in ours if key not in named]
    config.resource.attributes = given
    instrumentation = config.instrumentation_development
    if instrumentation is not None and instrumentation.python:
        for name in _BRIDGES:
            instrumentation.python.pop(name, None)


def _instance() -> Mapping[str, Any]:
    """The id of this process, which all signals share; the SDK renews it in forked children."""
    return {SERVICE_INSTANCE_ID: ServiceInstanceIdResourceDetector().detect().attributes[SERVICE_INSTANCE_ID]}


def _resource(config: Any) -> Resource:
    """The resource that spans have, else one from the same section: detectors may take time."""
    known = getattr(trace.get_tracer_provider(), "resource", None)
    return known if isinstance(known, Resource) else otel_private.declared_resource(config.resource)
