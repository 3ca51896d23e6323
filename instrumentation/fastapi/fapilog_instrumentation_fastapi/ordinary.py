"""What the access records of ordinary requests have in common, said once per route. Thread: caller.

An ordinary request ended without failure and hides nothing: native code writes its record
(`fapilog.asgi.AccessTemplate`) from this, said once per route, host and status, and from what differs. It
says what `access.write` would write, and a test compares the two.
"""

from __future__ import annotations

from time import perf_counter_ns

from fapilog.asgi import BOUND, AccessTemplate, ExchangePlan
from fapilog_instrumentation_fastapi import access, finishing, messages, paths
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, CURRENT, KEY, Exchange
from fapilog_instrumentation_fastapi.plan import Plan


def template(exchange: Exchange) -> AccessTemplate | None:
    """Return what native code needs to write the record of such a request; None: `access.write` does it.

    Args:
        exchange: Of a response below 400 that was handed over. What is read of it here is what native code
            knows the next one by: endpoint, route, router, status, method, scheme, version, host and mounts.
    """
    options = exchange.options
    route = exchange.route
    parameters = exchange.scope.get("path_params") or {}
    if not options.access or not options.sampler.keeps_all or route in exchange.plan.exclusions.routes:
        return None
    if any(paths.is_hidden(exchange, name) for name in parameters):
        return None
    attributes = access.common(exchange, route)
    method = attributes["http.request.method"]
    return AccessTemplate(
        options.logger,
        access.INFO,
        access.HTTP_EVENT,
        access.body(method, route, exchange.status),
        attributes,
        slow_seconds=options.slow_seconds,
        path_parameters=tuple(parameters),
        has_marks=bool(paths.marked(exchange.scope)),
        has_body=method != "HEAD",
        query=options.query,
        client=options.client,
        user_agent=options.user_agent,
    )


def rules(plan: Plan) -> ExchangePlan:
    """Return what the exchanges of an application have in common, as native code needs it."""
    return ExchangePlan(
        plan,
        current=CURRENT,
        bound=BOUND,
        key=KEY,
        attribute=CORRELATION_ATTRIBUTE,
        wanted=list(plan.wanted),
        ids=len(plan.correlator.wanted),
        choose=plan.correlator.choose,
        clock=perf_counter_ns,
        echo=plan.echo,
        user_agent=plan.user_agent,
        content_length=plan.content_length,
        host=plan.host,
        judged=plan.queries.judged,
        template=template,
        finish=finishing.finish,
        observe=messages.observe,
        on_error=plan.own_errors.add,
    )
