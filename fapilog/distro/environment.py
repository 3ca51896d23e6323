"""The environment as `Settings` reads it: names of OpenTelemetry's exporters that mean one of ours."""

from __future__ import annotations

from collections.abc import Mapping

_VARIABLE = "OTEL_LOGS_EXPORTER"
# Entry points of `opentelemetry_logs_exporter` whose work our pipeline does natively.
_OURS = {"fapilog": "otlp", "otlp_proto_http": "otlp"}


def for_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of the environment in which `OTEL_LOGS_EXPORTER` names exporters of ours.

    Example:
        >>> for_settings({"OTEL_LOGS_EXPORTER": "fapilog, console"})
        {'OTEL_LOGS_EXPORTER': 'otlp,console'}
    """
    copy = dict(environ)
    if _VARIABLE in copy:
        names = [name.strip() for name in copy[_VARIABLE].split(",")]
        copy[_VARIABLE] = ",".join(_OURS.get(name.lower(), name) for name in names)
    return copy
