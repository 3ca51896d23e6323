"""Stage 6 of 7, export: OTLP, and what its native sender is told. Threads: the configuring one; sender."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.auth import Auth
from fapilog.exporters.base import Exporter, NativeExporter
from fapilog.settings import OtlpSettings, Settings, presets

# OTLP exporter specification: responses larger than this are not read.
MAX_RESPONSE_BYTES = 4 * 1024 * 1024


def user_agent(transport: str = "http") -> str:
    """Return our product before OpenTelemetry's identifier, as OTLP asks of distributions.

    Args:
        transport: `http` or `grpc`: the stock exporter whose version is named.
    """
    ours, exporter = _version("fapilog"), _version(f"opentelemetry-exporter-otlp-proto-{transport}")
    return f"fapilog/{ours} OTel-OTLP-Exporter-Python/{exporter} Python/{platform.python_version()}"


def make_exporter(settings: Settings, auth: Auth | None = None) -> NativeExporter | Exporter:
    """Make the exporter that is called `otlp`: native over HTTP, in Python over gRPC.

    Raises:
        ConfigurationError: `preset-incomplete`, if the vendor wants credentials that expire, without `auth`.
    """
    _check_auth(settings.otlp, auth)
    if settings.otlp.protocol == "grpc":
        from fapilog.exporters.otlp_grpc import OtlpGrpcExporter  # noqa: PLC0415 - 0.1 s that only gRPC is worth

        return OtlpGrpcExporter(settings.otlp, auth)
    native = {"kind": "otlp_http", **native_settings(settings.otlp), "refreshes_headers": auth is not None}
    return NativeExporter("otlp", native, auth)


def _check_auth(settings: OtlpSettings, auth: Auth | None) -> None:
    """Credentials that expire come from a function, or from whoever sets the header himself."""
    if settings.preset is None or auth is not None or "authorization" in settings.headers:
        return
    if presets.load()[settings.preset].auth == "function":
        function = "a function that returns the header authorization"
        remedy = f"pass auth=..., {function}, or set otlp.auth (FAPILOG_OTLP_AUTH) to a plugin that is one"
        what = f"the preset {settings.preset} needs an auth function"
        raise ConfigurationError([Problem("preset-incomplete", what, (), remedy)])


def native_settings(settings: OtlpSettings) -> dict[str, object]:
    """Translate the settings group into the frozen value that the native sender takes."""
    return {
        "protocol": settings.protocol,
        "endpoint": settings.endpoint,
        "headers": [(name, value.get_secret_value()) for name, value in settings.headers.items()],
        "timeout_millis": settings.timeout_millis or None,
        "connect_timeout_millis": settings.connect_timeout_millis,
        "compression": settings.compression,
        "max_in_flight": settings.max_in_flight,
        "adaptive": settings.adaptive,
        "merge_bytes": settings.merge_bytes,
        "certificate": _path(settings.certificate),
        "client_certificate": _path(settings.client_certificate),
        "client_key": _path(settings.client_key),
        "user_agent": user_agent(),
        "max_request_bytes": settings.max_request_bytes,
        "max_response_bytes": MAX_RESPONSE_BYTES,
        "initial_backoff_millis": settings.retry.initial_backoff_millis,
        "max_backoff_millis": settings.retry.max_backoff_millis,
        "max_retry_after_millis": settings.retry.max_retry_after_millis,
        "max_elapsed_millis": settings.retry.max_elapsed_millis,
        "refreshes_headers": False,
    }


def _path(path: object) -> str | None:
    return None if path is None else str(path)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "0"
