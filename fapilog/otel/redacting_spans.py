"""Stage 3 of 7, redact: spans under the rules for records. Thread(s): caller that ends a span, exporting.

The SDK lets nobody change a span that ends. So there are two ways. A boundary, with public names: what stands
behind it gets a copy. And a rewriting of the span itself, with private names that are checked first: it
protects processors that were registered earlier, too.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from fapilog import otel_private
from fapilog.diagnostics import say, shown_error
from fapilog.otel.redacting_parts import PartRedactor
from fapilog.redaction.given import GivenPolicy
from fapilog.redaction.redactor import UNSCANNED
from fapilog.settings.redaction import RedactionSettings


class SpanParts(NamedTuple):
    """What a span may hold a secret in."""

    name: Any
    attributes: Any
    events: Any
    links: Any
    status: Any
    resource: Any
    scope: Any


class SpanRedactor:
    """Hides in spans what stage 3 hides in records.

    Args:
        settings: The policy.
    """

    def __init__(self, settings: GivenPolicy = None) -> None:
        self._parts = PartRedactor(settings)

    def in_place(self, span: ReadableSpan) -> SpanParts | None:
        """Rewrite a span that ends. None: this release of the SDK keeps its parts elsewhere."""
        held = otel_private.held_span_parts(span)
        if held is None:
            return None
        given = SpanParts(*held)
        clean = self._clean(given)
        if not _same(given, clean):
            otel_private.replace_span_parts(span, clean)
        return clean

    def copy(self, span: ReadableSpan) -> ReadableSpan:
        """Return a span without what is hidden, the same one if that is nothing."""
        given = parts_of(span)
        clean = self._clean(given)
        if _same(given, clean):
            return span
        return ReadableSpan(
            name=clean.name,
            context=span.get_span_context(),
            parent=span.parent,
            resource=clean.resource,
            attributes=clean.attributes,
            events=clean.events,
            links=clean.links,
            kind=span.kind,
            status=clean.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=clean.scope,
        )

    def _clean(self, given: SpanParts) -> SpanParts:
        try:
            parts = self._parts
            return SpanParts(
                parts.text(given.name),
                parts.attributes(given.attributes),
                self._each(given.events, self._event) if given.events else given.events,
                self._each(given.links, self._link) if given.links else given.links,
                self._status(given.status),
                parts.resource(given.resource),
                parts.scope(given.scope),
            )
        except Exception as error:
            what = f"a span could not be read and is exported empty: {shown_error(error)}"
            say("unscanned", what, "trace")
            nothing = {"fapilog.redacted": UNSCANNED}
            status = Status(getattr(given.status, "status_code", Status().status_code))
            return SpanParts(UNSCANNED, nothing, (), (), status, Resource({}), None)

    def _each(self, given: Any, clean: Any) -> Any:
        left = [clean(one) for one in given]
        if all(new is old for new, old in zip(left, given, strict=True)):
            return given
        return otel_private.bounded_list(left, getattr(given, "dropped", 0))

    def _event(self, event: Any) -> Any:
        name, attributes = self._parts.text(event.name), self._parts.attributes(event.attributes)
        if name == event.name and attributes is event.attributes:
            return event
        return Event(name, attributes, event.timestamp)

    def _link(self, link: Any) -> Any:
        attributes = self._parts.attributes(link.attributes)
        return link if attributes is link.attributes else Link(link.context, attributes)

    def _status(self, status: Status) -> Status:
        if not status.description:
            return status
        description = self._parts.text(status.description)
        return status if description == status.description else Status(status.status_code, description)


class RedactingSpanProcessor(SpanProcessor):
    """Hides in spans what stage 3 hides in records: secret names, credentials in URLs; with `scan`, values.

    Added to a `TracerProvider` it rewrites each span that ends, for all its processors, whenever they were
    added. With a processor of its own, it also hands that one copies, with public names of the SDK alone.
    `configure_otel()` adds one to the provider of the process.

    A processor that exports a span when it starts sees what is in it then.

    Args:
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`. Of a
            pipeline: `Settings.redaction_in_force`.
        processor: One that stands behind the boundary.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> TracerProvider().add_span_processor(RedactingSpanProcessor())
    """

    def __init__(self, settings: GivenPolicy = None, *, processor: SpanProcessor | None = None) -> None:
        self._processor = processor
        self._ending = _Ending(SpanRedactor(settings))

    def use(self, settings: RedactionSettings) -> None:
        """Take another policy from now on."""
        self._ending = _Ending(SpanRedactor(settings))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is hidden yet: the span is still under way."""
        if self._processor is not None:
            self._processor.on_start(span, parent_context)

    def _on_ending(self, span: Span) -> None:
        self._ending.rewrite(span)
        if self._processor is not None:
            otel_private.tell_ending(self._processor, span)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span on, without what is hidden."""
        if self._processor is not None:
            self._processor.on_end(self._ending.clean(span))
        elif not self._ending.is_clean(span) and self._ending.redactor.in_place(span) is None:
            say(
                "not-redacted",
                "this release of OpenTelemetry keeps spans where RedactingSpanProcessor cannot rewrite them;"
                " wrap exporters in RedactingSpanExporter",
            )

    def shutdown(self) -> None:
        """Shut the processor behind it down."""
        if self._processor is not None:
            self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the processor behind it."""
        return self._processor is None or self._processor.force_flush(timeout_millis)


class RedactingSpanProcessors(SynchronousMultiSpanProcessor):
    """All processors of a provider of ours: whenever one is added, it stands behind the boundary.

    Args:
        settings: The policy.
    """

    def __init__(self, settings: RedactionSettings) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ending = _Ending(SpanRedactor(settings))

    def use(self, settings: RedactionSettings) -> None:
        """Take another policy from now on."""
        self._ending = _Ending(SpanRedactor(settings))

    def _on_ending(self, span: Span) -> None:
        self._ending.rewrite(span)
        super()._on_ending(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span on, without what is hidden."""
        super().on_end(self._ending.clean(span))


class RedactingSpanExporter(SpanExporter):
    """Hands spans to another exporter without what stage 3 hides in records.

    For stock providers and processors; with public names of the SDK alone.

    Args:
        exporter: Any `SpanExporter`.
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`.

    Example:
        >>> from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
        >>> processor = BatchSpanProcessor(RedactingSpanExporter(ConsoleSpanExporter()))
        >>> processor.shutdown()
    """

    def __init__(self, exporter: SpanExporter, settings: GivenPolicy = None) -> None:
        self._exporter = exporter
        self._spans = SpanRedactor(settings)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies of the spans in which something is hidden, and the others."""
        return self._exporter.export([self._spans.copy(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


class _Ending:
    """Knows within one `Span.end()` what it rewrote already, so that nothing is scanned twice."""

    def __init__(self, redactor: SpanRedactor) -> None:
        self.redactor = redactor
        self._last = threading.local()

    def rewrite(self, span: Span) -> None:
        self._last.parts = self.redactor.in_place(span)

    def is_clean(self, span: ReadableSpan) -> bool:
        """True of what the SDK made of the span that this thread rewrote last. It is forgotten then."""
        parts = getattr(self._last, "parts", None)
        self._last.parts = None
        return parts is not None and _same(parts, parts_of(span))

    def clean(self, span: ReadableSpan) -> ReadableSpan:
        return span if self.is_clean(span) else self.redactor.copy(span)


def parts_of(span: ReadableSpan) -> SpanParts:
    """Return the parts of a span, as it holds them or as it shows them."""
    held = otel_private.held_span_parts(span)
    if held is not None:
        return SpanParts(*held)
    return SpanParts(
        span.name,
        span.attributes,
        span.events,
        span.links,
        span.status,
        span.resource,
        span.instrumentation_scope,
    )


def _same(one: SpanParts, other: SpanParts) -> bool:
    return all(part is its for part, its in zip(one, other, strict=True))
