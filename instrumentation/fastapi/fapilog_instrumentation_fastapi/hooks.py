"""Functions of the application, called with each request, its response and its exception. Thread: caller.

They may add attributes to the access record (`Exchange.add`). What they raise is counted and goes nowhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fapilog import ConfigurationError
from fapilog.errors import OffendingSetting, Problem
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.plan import Plan

Hook = Callable[[Exchange], object]


@dataclass(frozen=True)
class Hooks:
    """The functions of one application; each takes the `Exchange` and is sync.

    Attributes:
        on_request: When a request begins, with its correlation id and headers; the route is not known yet.
        on_response: When the response is complete, or the request ends without one; before the access record.
        on_exception: When the application raised `Exchange.error`; before the access record, unless the
            response was complete: what a background task raises comes too late for it.

    Raises:
        ConfigurationError: If one cannot be called, or is async.

    Example:
        >>> Hooks(on_response=lambda exchange: exchange.add({"shop.items": 3})).on_request is None
        True
    """

    on_request: Hook | None = None
    on_response: Hook | None = None
    on_exception: Hook | None = None

    def __post_init__(self) -> None:
        for name, hook in vars(self).items():
            if hook is not None and (not callable(hook) or _is_async(hook)):
                raise _refused(name, hook)

    def attach(self, plan: Plan) -> None:
        """Let them be called, behind what this package does at the same time."""
        for hook, observers in (
            (self.on_request, plan.on_request),
            (self.on_response, plan.on_response),
            (self.on_exception, plan.on_exception),
        ):
            if hook is not None:
                observers.append(hook)


def _is_async(hook: object) -> bool:
    while isinstance(hook, partial):
        hook = hook.func
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)


def _refused(name: str, hook: object) -> ConfigurationError:
    remedy = "pass a sync function that takes the Exchange: it is called between two messages of a request"
    shown = OffendingSetting(name, repr(hook), "argument", remedy)
    return ConfigurationError([Problem("setting-invalid", f"{name} is no sync function", (shown,), remedy)])
