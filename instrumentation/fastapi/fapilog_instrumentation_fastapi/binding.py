"""Attributes that every later record of a request has: of user, tenant and baggage. Thread: caller.

They are kept in two places. What the middleware bound for the request carries them to the records of its
tasks and threads, which share it, whichever of them binds. The exchange carries them to the access record,
the exception record and request loggers, whatever context these are in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog.context import attach, extend
from fapilog_instrumentation_fastapi.exchange import current


def bind(attributes: Mapping[str, Any]) -> None:
    """Bind attributes for the rest of the request; outside of one, for the rest of this task or thread."""
    exchange = current()
    if exchange is not None:
        exchange.add(attributes)
        # A new dict: another thread may read the old one.
        exchange.bound = {**(exchange.bound or {}), **attributes}
        extend(dict(attributes))
    else:
        # Not left again.
        attach(dict(attributes))


def request_attributes() -> Mapping[str, Any] | None:
    """Return what is bound to the current request, for an enricher or a hook of yours; None outside of one.

    Records need no enricher for it: what is bound is on all of them, also what a sync dependency binds in its
    thread.

    Example:
        >>> request_attributes() is None
        True
    """
    exchange = current()
    return exchange.bound if exchange is not None else None
