"""The call sites: one loop per call style and number of attributes.

Each loop returned here owns a copy of its code object. CPython specialises byte code in the code object, so a
loop shared by two functions would be measured in the state that the other one left.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from types import FunctionType
from typing import Any

from benchmarks.scenarios import FIVE, TEN, Scenario, Values

Loop = Callable[[int], None]
Stream = Callable[[list[Values]], None]

_five = tuple(FIVE.values())
_ten = tuple(TEN.values())


def fresh(function: Any) -> Loop:
    """Return a copy of a loop with a code object of its own."""
    copy: Loop = FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, None, function.__closure__
    )
    return copy


def in_handler(loop: Loop) -> Loop:
    """Run a loop inside an `except` block, three frames below the raise."""

    def fail(depth: int) -> None:
        if depth:
            fail(depth - 1)
        raise ValueError("card was refused")

    def run(n: int) -> None:
        try:
            fail(2)
        except ValueError:
            loop(n)

    return run


def keyword_loop(function: Callable[..., Any], scenario: Scenario) -> Loop:
    """Call `function(message, **keywords)`; a bound scenario expects a bound function."""

    def none(n: int) -> None:
        f = function
        for _ in repeat(None, n):
            f("order placed")

    def five(n: int) -> None:
        f = function
        user_id, path, status, duration_ms, region = scenario.attributes.values()
        for _ in repeat(None, n):
            f(
                "order placed",
                user_id=user_id,
                path=path,
                status=status,
                duration_ms=duration_ms,
                region=region,
            )

    def ten(n: int) -> None:
        f = function
        user_id, path, status, duration_ms, region, method, bytes_sent, cached, client, attempt = _ten
        for _ in repeat(None, n):
            f(
                "order placed",
                user_id=user_id,
                path=path,
                status=status,
                duration_ms=duration_ms,
                region=region,
                method=method,
                bytes_sent=bytes_sent,
                cached=cached,
                client=client,
                attempt=attempt,
            )

    return fresh({0: none, 5: five, 10: ten}[len(scenario.attributes)])


def extra_loop(function: Callable[..., Any], scenario: Scenario) -> Loop:
    """Call `function(message, extra={...})`, the way of `logging`; the dict is made at each call."""
    bound = scenario.bound

    def none(n: int) -> None:
        f = function
        for _ in repeat(None, n):
            f("order placed")

    def five(n: int) -> None:
        f = function
        user_id, path, status, duration_ms, region = _five
        for _ in repeat(None, n):
            f(
                "order placed",
                extra={
                    "user_id": user_id,
                    "path": path,
                    "status": status,
                    "duration_ms": duration_ms,
                    "region": region,
                },
            )

    def merged(n: int) -> None:
        f = function
        attributes = scenario.attributes
        for _ in repeat(None, n):
            f("order placed", extra={**bound, **attributes})

    return fresh(merged if bound else {0: none, 5: five, 10: merged}[len(scenario.attributes)])


def emit_loop(emit: Callable[..., Any], severity: Any, scenario: Scenario) -> Loop:
    """Call the OpenTelemetry `Logger.emit` with keywords; the attributes dict is made at each call."""
    bound = scenario.bound
    raised = ValueError("card was refused") if scenario.level == "exception" else None

    def five(n: int) -> None:
        user_id, path, status, duration_ms, region = _five
        for _ in repeat(None, n):
            emit(
                body="order placed",
                severity_number=severity,
                severity_text="INFO",
                attributes={
                    "user_id": user_id,
                    "path": path,
                    "status": status,
                    "duration_ms": duration_ms,
                    "region": region,
                },
            )

    def merged(n: int) -> None:
        attributes = scenario.attributes
        for _ in repeat(None, n):
            emit(
                body="order placed",
                severity_number=severity,
                severity_text="INFO",
                attributes={**bound, **attributes},
                exception=raised,
            )

    return fresh(five if scenario.attributes is FIVE and not bound and raised is None else merged)


def keyword_stream(function: Callable[..., Any]) -> Stream:
    """Log each row by keywords."""

    def run(rows: list[Values]) -> None:
        f = function
        for user_id, path, status, duration_ms, region in rows:
            f(
                "order placed",
                user_id=user_id,
                path=path,
                status=status,
                duration_ms=duration_ms,
                region=region,
            )

    return run


def extra_stream(function: Callable[..., Any]) -> Stream:
    """Log each row with `extra=`."""

    def run(rows: list[Values]) -> None:
        f = function
        for user_id, path, status, duration_ms, region in rows:
            f(
                "order placed",
                extra={
                    "user_id": user_id,
                    "path": path,
                    "status": status,
                    "duration_ms": duration_ms,
                    "region": region,
                },
            )

    return run


def emit_stream(emit: Callable[..., Any], severity: Any) -> Stream:
    """Log each row through `Logger.emit`."""

    def run(rows: list[Values]) -> None:
        for user_id, path, status, duration_ms, region in rows:
            emit(
                body="order placed",
                severity_number=severity,
                severity_text="INFO",
                attributes={
                    "user_id": user_id,
                    "path": path,
                    "status": status,
                    "duration_ms": duration_ms,
                    "region": region,
                },
            )

    return run
