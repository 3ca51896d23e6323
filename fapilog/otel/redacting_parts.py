"""Stage 3 of 7, redact: what spans, records and metrics of the SDK share, without secrets. Thread(s): any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import otel_private
from fapilog.redaction.given import GivenPolicy
from fapilog.redaction.redactor import Redactor

# Resources and scopes that are remembered. There are few; whoever makes more has them read again.
_REMEMBERED = 512


class PartRedactor:
    """Rewrites attributes, scopes and resources; what holds nothing to hide comes back as the same object.

    Args:
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`.
    """

    def __init__(self, settings: GivenPolicy = None) -> None:
        self.redactor = Redactor(settings)
        self.text = self.redactor.text
        self._known: dict[int, tuple[Any, Any]] = {}

    def attributes(self, attributes: Any) -> Any:
        """Return attributes as the SDK keeps them, with the number of those that it left out."""
        if not attributes:
            return attributes
        left = self.redactor.changed(otel_private.held_attributes(attributes))
        if left is None:
            return attributes
        # Points of metrics have plain ones.
        return left if isinstance(attributes, dict) else _bounded(left, getattr(attributes, "dropped", 0))

    def resource(self, resource: Resource) -> Resource:
        """Return a resource."""
        known = self._known.get(id(resource))
        # The object is kept, so that its address is not used again.
        if known is not None and known[0] is resource:
            clean: Resource = known[1]
            return clean
        attributes = self.attributes(resource.attributes)
        url = self.text(resource.schema_url or "")
        same = attributes is resource.attributes and url == (resource.schema_url or "")
        left = resource if same else Resource(attributes, url)
        self._remember(resource, left)
        return left

    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        """Return an instrumentation scope."""
        if scope is None:
            return None
        known = self._known.get(id(scope))
        if known is not None and known[0] is scope:
            clean: InstrumentationScope = known[1]
            return clean
        given = (scope.name, scope.version, scope.schema_url)
        texts = [text if text is None else self.text(text) for text in given]
        attributes = self.attributes(scope.attributes)
        same = attributes is scope.attributes and list(given) == texts
        name, version, url = texts
        left = scope if same else InstrumentationScope(name or "", version, url, attributes)
        self._remember(scope, left)
        return left

    def _remember(self, given: Any, clean: Any) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id(given)] = (given, clean)


def _bounded(attributes: Mapping[str, Any], dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(attributes=attributes, immutable=True)
    bounded.dropped = dropped
    return bounded
