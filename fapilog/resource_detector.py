"""What the distribution says about itself in the resource, for any OpenTelemetry SDK set-up.

A leaf: it imports `opentelemetry.sdk.resources` and nothing else of the SDK or of ours. The SDK loads
detectors while `opentelemetry.sdk._logs` is being imported; a detector that imports that module fails there.
"""

from __future__ import annotations

from importlib.metadata import version

from opentelemetry.sdk.resources import Resource, ResourceDetector


def distribution() -> dict[str, str]:
    """Return the attributes that name the distribution (semantic conventions, `telemetry.distro.*`).

    Example:
        >>> distribution()["telemetry.distro.name"]
        'fapilog'
    """
    return {"telemetry.distro.name": "fapilog", "telemetry.distro.version": version("fapilog")}


class FapilogResourceDetector(ResourceDetector):
    """Detector `fapilog`: `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=fapilog`, or in a configuration file.

    `configure_otel()` and the distribution add the same attributes by themselves.
    """

    def detect(self) -> Resource:
        """Return the resource; detects nothing that could fail or take time."""
        return Resource(distribution())
