"""The resource of a process: the service's name, the distribution's, and what OpenTelemetry detects."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource

from fapilog import pipeline, resource_detector
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


def described_in_children(provider: Any) -> Callable[[], None]:
    """Return what a pipeline calls before the first record of a process: a forked child describes itself.

    The SDK renews `service.instance.id` right after a fork, the same for all signals; what is encoded still
    says the parent's.

    Args:
        provider: A provider with `resource`, `pipeline` and `enrichment`; held weakly.
    """
    known, process = weakref.ref(provider), os.getpid()

    def on_start() -> None:
        alive = known()
        if alive is not None and process != os.getpid():
            alive.pipeline.set_resource(
                pipeline.encode_resource(alive.enrichment.describe_child(alive.resource))
            )

    return on_start
