"""Paths and query strings as they may stand in a record: without values of secret or marked parameters.

Which parameters a route has is known once its router chose it. Thread: caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fapilog_instrumentation_fastapi import marks
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.queries import HIDDEN

_PARAMETER = re.compile(r"\{[^}]*\}")


def marked(scope: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the names that the chosen route marks as sensitive, with their markers."""
    return marks.of(scope).names


def path(exchange: Exchange) -> str:
    """Return the path of a request without its secret parameters, such as that of `/reset/{token}`."""
    parameters = exchange.scope.get("path_params")
    if not parameters:
        return exchange.path
    if any(is_hidden(exchange, name) for name in parameters):
        return _hiding(exchange, parameters, marked(exchange.scope))
    return exchange.path


def is_hidden(exchange: Exchange, parameter: str) -> bool:
    """Tell whether the value of a path's parameter is to be hidden: by its name, or by a mark."""
    return exchange.plan.queries.is_secret(parameter) or parameter in marked(exchange.scope)


def _hiding(exchange: Exchange, parameters: Mapping[str, Any], names: Mapping[str, str]) -> str:
    is_secret = exchange.plan.queries.is_secret
    hidden = {
        value if isinstance(value, str) else "": HIDDEN if is_secret(name) else names[name]
        for name, value in parameters.items()
        if is_secret(name) or name in names
    }
    return _without(exchange, hidden)


def _without(exchange: Exchange, hidden: Mapping[str, str]) -> str:
    steps = exchange.path.split("/")
    if "" not in hidden and hidden.keys() <= set(steps):
        return "/".join(hidden.get(step, step) for step in steps)
    # A part of a step, several steps, or what a converter made of one.
    template = exchange.route
    return HIDDEN if template is None else _PARAMETER.sub(HIDDEN, template)


def query(exchange: Exchange, given: bytes) -> str:
    """Return a query string of a request without its secret parameters."""
    return exchange.plan.queries.shown(given, marked(exchange.scope))


def shown(exchange: Exchange) -> tuple[str, str]:
    """Return path and query string as they may stand in a record; worked out once when the request ends."""
    known = exchange.shown
    if known is None:
        given: bytes = exchange.scope.get("query_string", b"")
        known = (path(exchange), query(exchange, given) if given else "")
        if exchange.is_finished:
            exchange.shown = known
    return known


def url(exchange: Exchange, text: str) -> str:
    """Return any URL, or part of one, without secret parameters behind `?` and `#`."""
    return exchange.plan.queries.shown_in(text, marked(exchange.scope))
