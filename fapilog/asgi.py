"""Stages 1 and 2 of 7, emit and capture: what request logging for ASGI is built on. Thread: caller.

The state of a request, and the access record of an ordinary one, in native code: what runs once per request
is cold each time, and costs more in Python than its instructions. `fapilog-instrumentation-fastapi` uses it.
"""

from __future__ import annotations

from fapilog._native import AccessTemplate, Exchange, ExchangePlan, new_correlation_id
from fapilog.context import BOUND

__all__ = ["BOUND", "AccessTemplate", "Exchange", "ExchangePlan", "new_correlation_id"]
