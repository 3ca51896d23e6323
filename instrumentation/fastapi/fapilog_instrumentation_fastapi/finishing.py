"""The end of an exchange: who asked is told, and the access record written. Thread: caller."""

from __future__ import annotations

from collections.abc import Iterable

from fapilog_instrumentation_fastapi import access
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.plan import Observer


def finish(exchange: Exchange) -> None:
    """Tell who asked, and write the record; called once, unless native code did it."""
    exchange.is_finished = True
    plan = exchange.plan
    tell(plan.on_unusual, exchange, "on_unusual")
    tell(plan.on_response, exchange, "on_response")
    try:
        access.write(exchange)
    except Exception as error:
        plan.own_errors.add(error, "access record")


def tell(observers: Iterable[Observer], exchange: Exchange, when: str) -> None:
    """Call observers in their order; what one of them raises is counted."""
    for observer in observers:
        try:
            observer(exchange)
        except Exception as error:
            exchange.plan.own_errors.add(error, when)
