"""The resource of a process: the service's name, the distribution's, and what OpenTelemetry detects."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk.resources import Resource

from fapilog import resource_detector
from fapilog.settings import Settings


def build_resource(settings: Settings, more: Resource | Mapping[str, object] | None = None) -> Resource:
    """Merge detected attributes, settings and `more`, later ones winning.

    Example:
        >>> build_resource(Settings(service={"name": "orders"})).attributes["service.name"]
        'orders'
    """
    attributes: dict[str, object] = {
        **resource_detector.distribution(),
        **settings.service.resource_attributes,
    }
    if settings.service.name:
        attributes["service.name"] = settings.service.name
    resource = Resource.create(attributes)  # type: ignore[arg-type]
    if isinstance(more, Resource):
        return resource.merge(more)
    return resource.merge(Resource(dict(more))) if more else resource  # type: ignore[arg-type]
