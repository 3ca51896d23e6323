"""All three signals from `OTEL_CONFIG_FILE`: OpenTelemetry's own reader for two, our pipeline for logs.

The file alone counts: of the environment only what it names. Threads: the main one, before the application
starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource, ServiceInstanceIdResourceDetector

from fapilog import in_force, otel_private, resource_detector, telemetry
from fapilog.diagnostics import shown_error
from fapilog.errors import MASK, ConfigurationError, MissingDependencyError, OffendingSetting, Problem
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.span_events import EventToSpanEventBridge
from fapilog.plugins import EXPORTERS, Plugins
from fapilog.settings import Settings
from fapilog.settings.otel_config_document import read
from fapilog.settings.otel_config_translation import header_mapping, translate

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
    by_name = [name for name, _, _ in declared.plugins]
    if by_name:
        ours = tuple(name for name in declared.values["exporters"] if name not in by_name)
        declared.values["exporters"] = ours or ("none",)
    settings = Settings.declared(declared)
    built = [
        _build(name, options, declared.document.origin(*keys), settings)
        for name, options, keys in declared.plugins
    ]
    _complete(config)
    wants_logs, config.logger_provider = config.logger_provider is not None, None
    _configure_sdk(config)
    exporters = [*in_force.chosen_exporters(settings), *built]
    provider = LoggerProvider(_resource(config), settings=settings, exporters=exporters)
    if declared.bridges_events:
        provider.add_log_record_processor(EventToSpanEventBridge())
    if wants_logs and not settings.disabled:
        otel_private.install_logger_provider(provider)
    return in_force.adopt(provider)


def _load(path: str) -> Any:
    try:
        from opentelemetry import configuration  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingDependencyError("opentelemetry-configuration", _VARIABLE) from error
    try:
        return configuration.load_config_file(path)
    except configuration.ConfigurationError as error:
        remedy = "correct the file"
        keys = tuple(getattr(error.__cause__, "absolute_path", ()))  # of jsonschema
        offender = OffendingSetting("path", repr(path), _VARIABLE, remedy)
        if keys:
            place = read(Path(path), os.environ).origin(*keys)
            offender = OffendingSetting(str(keys[-1]), MASK, place, remedy)
        raise ConfigurationError([Problem("file-invalid", str(error), (offender,), remedy)]) from error


def _configure_sdk(config: Any) -> None:
    from opentelemetry import configuration  # noqa: PLC0415 - optional

    configuration.configure_sdk(config)
    if config.propagator is None:
        propagate.set_global_textmap(NoPropagator())


class NoPropagator(TextMapPropagator):
    """Propagates nothing, as a file without `propagator` means it.

    OpenTelemetry's reader puts an empty composite there, whose `extract` gives None where instrumentations
    expect a context: every request of an ASGI application would fail.
    """

    def extract(
        self,
        carrier: Any,  # noqa: ARG002 - the API's signature
        context: Context | None = None,
        getter: Any = default_getter,  # noqa: ARG002 - the API's signature
    ) -> Context:
        """Return the context as it is."""
        return get_current() if context is None else context

    def inject(self, carrier: Any, context: Context | None = None, setter: Any = default_setter) -> None:
        """Add nothing."""

    @property
    def fields(self) -> set[str]:
        """No header."""
        return set()


def _build(name: str, options: Mapping[str, Any], origin: str, settings: Settings) -> Any:
    """Make an exporter that is not ours, with the options of the file."""
    try:
        if name == "otlp_http":
            return _stock_otlp(options)
        return Plugins(settings.plugins.policy).require_target(EXPORTERS, name)(**options)
    except Exception as error:
        remedy = "install the package that registers it, and give it the options that it takes"
        what = f"the exporter {name} cannot be made: {shown_error(error)}"
        offender = OffendingSetting("exporter", name, origin, remedy)
        raise ConfigurationError([Problem("exporter-invalid", what, (offender,), remedy)]) from error


def _stock_otlp(options: Mapping[str, Any]) -> Any:
    """OpenTelemetry's own exporter, for a second endpoint: the native one serves the first."""
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - rarely wanted
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415

    tls = options.get("tls") or {}
    timeout = options.get("timeout")
    return OTLPLogExporter(
        endpoint=options.get("endpoint"),
        headers=header_mapping(options),
        timeout=None if timeout is None else timeout / 1_000,
        compression=Compression(options.get("compression") or "none"),
        certificate_file=tls.get("ca_file"),
        client_key_file=tls.get("key_file"),
        client_certificate_file=tls.get("cert_file"),
    )


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
