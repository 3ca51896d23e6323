"""`request_options`: settings of one route, kept on its endpoint. Threads: the configuring one.

They change the settings of the application that serves the route, so one endpoint may be in several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack
from weakref import WeakKeyDictionary

from fapilog import Severity
from fapilog_instrumentation_fastapi import settings_sources
from fapilog_instrumentation_fastapi.plan import OPTIONS_ATTRIBUTE, Plan
from fapilog_instrumentation_fastapi.settings import RequestLogging
from fapilog_instrumentation_fastapi.settings_capture import When

_Endpoint = TypeVar("_Endpoint")
_DEEPEST = 100

# Option -> group and field of the settings.
_PLACES = {
    "access": ("access", "enabled"),
    "sample_ratio": ("access", "sample_ratio"),
    "slow_seconds": ("access", "slow_seconds"),
    "client_error_severity": ("access", "client_error_severity"),
    "query": ("access", "query"),
    "request_headers": ("capture", "request_headers"),
    "response_headers": ("capture", "response_headers"),
    "request_body": ("capture", "request_body"),
    "response_body": ("capture", "response_body"),
    "body_bytes": ("capture", "body_bytes"),
    "body_types": ("capture", "body_types"),
    "validation_values": ("exceptions", "validation_values"),
    "http_exceptions": ("exceptions", "http"),
}
# Plans, and what is called with each when the first route asks for headers or bodies.
waiting: WeakKeyDictionary[Plan, Callable[[Plan], None]] = WeakKeyDictionary()
_is_capturing = False


class Options(TypedDict, total=False):
    """What a route may have of its own; each as in the settings, of which the names are in brackets."""

    access: bool
    sample_ratio: float
    slow_seconds: float | None
    client_error_severity: Severity | str
    query: bool
    request_headers: tuple[str, ...]
    response_headers: tuple[str, ...]
    request_body: When
    response_body: When
    body_bytes: int
    body_types: tuple[str, ...]
    validation_values: bool
    http_exceptions: tuple[str, ...]
    logger: str


def request_options(**options: Unpack[Options]) -> Callable[[_Endpoint], _Endpoint]:
    """Give a route settings of its own; a router or an application to mount, each of the routes it has now.

    The decorator returns the endpoint itself and may stand above or below that of the route. What an endpoint
    was given itself wins over what its router was given.

    Args:
        **options: `access=False` for no access record; `sample_ratio`, `slow_seconds`,
            `client_error_severity`, `query`; `request_headers`, `response_headers`, `request_body`,
            `response_body`, `body_bytes`, `body_types`; `validation_values`, `http_exceptions`; `logger`, the
            name of the logger that writes the records of the route's requests.

    Raises:
        ConfigurationError: If an option is unknown, or its value not allowed.

    Example:
        >>> @request_options(access=False)
        ... async def healthz() -> str:
        ...     return "ok"
    """
    changes = _checked(options)

    def decorate(endpoint: _Endpoint) -> _Endpoint:
        _apply(endpoint, changes, 0)
        if "capture" in changes:
            begin_capture()
        return endpoint

    return decorate


def is_capturing() -> bool:
    """Tell whether a route asked for headers or bodies."""
    return _is_capturing


def begin_capture() -> None:
    """Tell those who wait for it that a route asks for headers or bodies."""
    global _is_capturing  # noqa: PLW0603
    _is_capturing = True
    for plan, start in list(waiting.items()):
        start(plan)
    waiting.clear()


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name == "logger":
            given[name] = value
            continue
        # An unknown name is refused as a setting that there is not.
        group, field = _PLACES.get(name, ("request_options", name))
        given.setdefault(group, {})[field] = value
    loaded = settings_sources.load(RequestLogging, {}, given)
    return loaded.model_dump(exclude_unset=True)


def _apply(target: Any, changes: Mapping[str, Any], depth: int) -> None:
    routes = getattr(target, "routes", None)
    if routes is not None and depth < _DEEPEST:
        for route in routes:
            inner = getattr(route, "endpoint", None)
            _apply(route if inner is None else inner, changes, depth + 1)
        return
    # A method cannot have attributes; its function can.
    target = getattr(target, "__func__", target)
    own = getattr(target, OPTIONS_ATTRIBUTE, {})
    # Below a router, what an endpoint was given itself wins.
    setattr(target, OPTIONS_ATTRIBUTE, _merged(changes, own) if depth else _merged(own, changes))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, Mapping) else value
    return merged
