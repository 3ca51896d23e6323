"""Stages 1 and 2 of 7, emit and capture: what request logging of ASGI applications builds on. Thread: caller.

The state of a request, and the access record of an ordinary one, in native code: what runs once per request is
cold each time, and costs more in Python than its instructions. `fapilog-instrumentation-fastapi` is made of it.
"""

from __future__ import annotations

from fapilog._native import AccessTemplate, Exchange, ExchangePlan, new_correlation_id

__all__ = ["AccessTemplate", "Exchange", "ExchangePlan", "new_correlation_id"]
