"""Stage 2 of 7, capture: attributes bound to the context of a task or thread. Thread: caller.

One context variable holds the innermost binding, encoded once for the pipeline that uses it. It is a variable
of its own, not a key in OpenTelemetry's `Context`: extracting a remote parent starts a fresh `Context`, and
bound attributes must outlive that (ADR 0004).
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Generic, TypeVar

from fapilog import _native, otel_private

# Native code reads it for each record, and sets it for requests (`fapilog.asgi`).
BOUND: ContextVar[_native.BoundAttributes | None] = ContextVar("fapilog_bound", default=None)


_Value = TypeVar("_Value")


class Binding(Generic[_Value]):
    """A block, sync or async, inside of which a context variable has another value.

    One object may be entered by several tasks and threads at a time, and again while it is entered.
    """

    __slots__ = ("_tokens", "_variable")

    def __init__(self, variable: ContextVar[_Value]) -> None:
        self._variable = variable
        self._tokens: list[Token[_Value]] = []

    def __enter__(self) -> None:
        """Set the variable, and keep the token."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token = self._tokens[-1]
        try:
            self._variable.reset(token)
        except ValueError:
            self._leave_before_another()
        else:
            self._tokens.remove(token)

    def _leave_before_another(self) -> None:
        """The last token is another task's; or a generator was finalised elsewhere, and none is of here."""
        for token in reversed(self._tokens):
            with suppress(ValueError):
                self._variable.reset(token)
                self._tokens.remove(token)
                return

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class bind_context(Binding[_native.BoundAttributes | None]):  # noqa: N801 - used as a function
    """Bind attributes to every record logged inside, in this task or thread and in copies of its context.

    Attributes of the call win over those of `Logger.bind`, these over bound context; an inner `bind_context`
    wins over an outer one. Works with `with` and `async with`; may be entered again, also while it is
    entered.

    Args:
        **attributes: Any values; encoded once, when the first record uses them.

    Example:
        >>> with bind_context(request_id="r-1"):
        ...     current_context()
        {'request_id': 'r-1'}
    """

    __slots__ = ("_attributes",)

    def __init__(self, /, **attributes: Any) -> None:
        super().__init__(BOUND)
        _native.watch_bound_context()
        self._attributes = attributes

    def __enter__(self) -> None:
        merged = _native.BoundAttributes(self._attributes, BOUND.get())
        self._tokens.append(BOUND.set(merged))


def attach(attributes: dict[str, Any]) -> Token[_native.BoundAttributes | None]:
    """Bind attributes as `bind_context` does, until `detach`: for middleware, where each microsecond counts.

    Returns:
        What `detach` takes, in the same task or thread.

    Example:
        >>> token = attach({"request_id": "r-1"})
        >>> current_context()
        {'request_id': 'r-1'}
        >>> detach(token)
    """
    _native.watch_bound_context()
    return BOUND.set(_native.BoundAttributes(attributes, BOUND.get()))


def detach(token: Token[_native.BoundAttributes | None]) -> None:
    """Put back what was bound before `attach`; of another task's token it takes no notice."""
    # `suppress` costs more than everything else here.
    try:  # noqa: SIM105
        BOUND.reset(token)
    except ValueError:
        pass


def extend(attributes: dict[str, Any]) -> None:
    """Add attributes to the innermost binding, for every task and thread that shares it.

    A thread or task that was started inside of a `bind_context` or an `attach` has a copy of the context, and
    what it binds for itself ends with it. What it adds here the others have, too: a function that runs in a
    thread can bind for the request that it is a part of. Where nothing is bound, it is as after `attach`.

    Args:
        attributes: They win over those of the same name that are bound there.

    Example:
        >>> from contextvars import copy_context
        >>> with bind_context(request_id="r-1"):
        ...     copy_context().run(extend, {"user.id": "u-7"})
        ...     current_context()
        {'request_id': 'r-1', 'user.id': 'u-7'}
    """
    bound = BOUND.get()
    if bound is None:
        attach(attributes)
    else:
        bound.extend(attributes)


def current_context() -> dict[str, Any]:
    """Return the attributes that `bind_context` binds here, as a new dict.

    Example:
        >>> current_context()
        {}
    """
    bound = BOUND.get()
    return {} if bound is None else bound.attributes


def connect() -> None:
    """Tell native capture where the current span and the bound attributes are read."""
    getter, key = otel_private.current_context_getter(), otel_private.span_key()
    _native.connect_context(
        bound=BOUND.get, fallback=otel_private.span_context, current_context=getter, span_key=key
    )
