"""Attributes that every later record of a request has: of user, tenant and baggage. Thread: caller.

They are kept in two places. A context variable carries them to records of this task, and of tasks and threads
that it starts. The exchange carries them to the access record, the exception record and request loggers,
whatever context these are in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog import bind_context
from fapilog_instrumentation_fastapi.exchange import current


def bind(attributes: Mapping[str, Any]) -> None:
    """Bind attributes for the rest of the request; outside of one, for the rest of this task or thread."""
    exchange = current()
    if exchange is not None:
        exchange.add(attributes)
        # A new dict: another thread may read the old one.
        exchange.bound = {**(exchange.bound or {}), **attributes}
    # Not left again: the middleware puts back what was bound before the request.
    bind_context(**attributes).__enter__()


def request_attributes() -> Mapping[str, Any] | None:
    """Enricher for `configure_otel(enrichers=[request_attributes])`: what is bound to the current request.

    A sync dependency runs in a thread with a copy of the context, so what it binds is on the access record
    and on request loggers made later, but not on other records of the endpoint. With this enricher it is on
    all of them; it costs each record a function call.

    Example:
        >>> request_attributes() is None
        True
    """
    exchange = current()
    return exchange.bound if exchange is not None else None
