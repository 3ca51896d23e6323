"""Makes the plan of an application, with all that hooks into it. Threads: the configuring one."""

from __future__ import annotations

from fapilog import LoggerProvider
from fapilog_instrumentation_fastapi import (
    baggage,
    blocking,
    bodies,
    failures,
    ordinary,
    recorder,
    server_lines,
    span_urls,
)
from fapilog_instrumentation_fastapi.hooks import Hooks
from fapilog_instrumentation_fastapi.plan import Plan
from fapilog_instrumentation_fastapi.settings import RequestLogging


def planned(
    settings: RequestLogging, logger_provider: LoggerProvider | None = None, hooks: Hooks | None = None
) -> Plan:
    """Return the plan of these settings; what is switched off is not in it, and costs nothing."""
    plan = Plan(settings, logger_provider)
    baggage.attach(plan)
    bodies.attach(plan)
    failures.attach(plan)
    recorder.attach(plan)
    blocking.attach(plan)
    span_urls.attach(plan)
    server_lines.attach(plan)
    if hooks is not None:
        hooks.attach(plan)
    plan.rules = ordinary.rules(plan)
    return plan
