"""Stage 3 of 7, redact: baggage that leaves in headers, under the rules for records. Thread: caller."""

from __future__ import annotations

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.propagators import textmap
from opentelemetry.propagators.textmap import CarrierT

from fapilog.diagnostics import say, shown_error
from fapilog.redaction.given import GivenPolicy
from fapilog.redaction.redactor import Redactor


class RedactingBaggagePropagator(textmap.TextMapPropagator):
    """Keeps entries of the baggage in which stage 3 would hide something out of headers.

    Such an entry is left out as a whole. The baggage of the process stays as it is, and what arrives from
    others is not touched. `configure_otel()` wraps the global propagator.

    Args:
        propagator: What injects and extracts.
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`.

    Example:
        >>> from opentelemetry.baggage import set_baggage
        >>> from opentelemetry.baggage.propagation import W3CBaggagePropagator
        >>> headers = {}
        >>> context = set_baggage("api_key", "k", set_baggage("tenant", "acme"))
        >>> RedactingBaggagePropagator(W3CBaggagePropagator()).inject(headers, context)
        >>> headers
        {'baggage': 'tenant=acme'}
    """

    def __init__(self, propagator: textmap.TextMapPropagator, settings: GivenPolicy = None) -> None:
        self.propagator = propagator
        self._redactor = Redactor(settings)

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: textmap.Getter[CarrierT] = textmap.default_getter,
    ) -> Context:
        """Read headers, as the propagator behind does."""
        return self.propagator.extract(carrier, context, getter)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: textmap.Setter[CarrierT] = textmap.default_setter,
    ) -> None:
        """Write headers, without entries of the baggage in which something is hidden."""
        try:
            context = self._without_secrets(context)
        except Exception as error:
            say("unscanned", f"baggage could not be read and does not leave: {shown_error(error)}", "baggage")
            context = baggage.clear(context)
        self.propagator.inject(carrier, context, setter)

    def _without_secrets(self, context: Context | None) -> Context | None:
        for name, value in baggage.get_all(context).items():
            # As an attribute, so that its name counts, and what stands in its name.
            if self._redactor.changed({name: str(value)}) is not None:
                context = baggage.remove_baggage(name, context)
        return context

    @property
    def fields(self) -> set[str]:
        """The headers that the propagator behind writes."""
        return self.propagator.fields
