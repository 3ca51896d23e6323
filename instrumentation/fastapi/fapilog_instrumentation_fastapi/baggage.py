"""W3C Baggage of callers: members that settings allow, on every record of the request. Thread: caller.

Anybody may send baggage, so a member is taken by its name alone, and only if it is short and printable.
"""

from __future__ import annotations

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from fapilog_instrumentation_fastapi.binding import bind
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.plan import Plan

PREFIX = "baggage."
_LONGEST = 256
_reader = W3CBaggagePropagator()


def attach(plan: Plan) -> None:
    """Bind the allowed members of an application's requests."""
    if plan.settings.baggage.keys:
        plan.on_request.append(Members(plan))


class Members:
    """The members that are bound.

    Args:
        plan: Of the application.
    """

    def __init__(self, plan: Plan) -> None:
        self._keys = plan.settings.baggage.keys
        self._header = plan.want(b"baggage")

    def __call__(self, exchange: Exchange) -> None:
        """Bind what came with a request: in the context, or in the header where nobody read it."""
        members = baggage.get_all(exchange.context)
        header = exchange.headers[self._header]
        if not members and header is not None:
            members = baggage.get_all(_reader.extract({"baggage": header.decode("latin-1")}))
        found = {PREFIX + key: value for key in self._keys if (value := valid(members.get(key))) is not None}
        if found:
            bind(found)


def valid(value: object) -> str | None:
    r"""Return a value that may go into a record: 1 to 256 printable characters.

    Example:
        >>> valid("gold"), valid("a\nb"), valid("x" * 300), valid(None)
        ('gold', None, None, None)
    """
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable():
        return value
    return None
