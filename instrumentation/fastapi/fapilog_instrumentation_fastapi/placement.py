"""Where the middleware stands: inside the server span, outside of every other middleware.

Starlette builds its stack of middleware at the first call, the one for the lifespan included. We put ours
into the stack as it is then. So it does not matter who instruments an application first, we or
OpenTelemetry's instrumentor, and spans are decided when all is known.
Threads: the configuring one, or the first request's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fapilog_instrumentation_fastapi.exchange import KEY
from fapilog_instrumentation_fastapi.handlers import chain
from fapilog_instrumentation_fastapi.plan import Plan

_SPAN_MIDDLEWARE = ("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware")

Make = Callable[[Any], Any]


def span_middleware(stack: Any) -> Any:
    """Return OpenTelemetry's ASGI middleware in a stack; None where there is none."""
    for each in chain(stack):
        if (type(each).__module__, type(each).__name__) == _SPAN_MIDDLEWARE:
            return each
    return None


def insert(stack: Any, make: Make) -> Any:
    """Return the stack with ours in it: behind the server span, else before everything."""
    spans = span_middleware(stack)
    if spans is None:
        return make(stack)
    spans.app = make(spans.app)
    return stack


class Placement:
    """Puts a middleware into the stack of one Starlette or FastAPI application.

    Args:
        app: The application.
        make: Makes the middleware around what is below it.
        before_build: Called with the application before its stack is built.
        plan: Of the application.

    Attributes:
        is_undone: Whether it was taken back.
    """

    def __init__(self, app: Any, make: Make, before_build: Callable[[Any], object], plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self._make = make
        self._before_build = before_build
        self._build_below: Callable[[], Any] = app.build_middleware_stack
        # Threads may make the first request at once; the one that builds comes here again.
        self._lock = threading.RLock()
        self._is_building = False
        self._latest: Any = None
        self._made: list[Any] = []
        self.is_undone = False
        app.build_middleware_stack = self.build
        if app.middleware_stack is not None:
            app.middleware_stack = self._rebuilt(app.middleware_stack)

    def build(self) -> Any:
        """Stand in for `build_middleware_stack` of the application."""
        # Not when somebody else's method calls this one: he puts his own around what he gets.
        is_whole = self._app.build_middleware_stack == self.build
        has_waited = not self._lock.acquire(blocking=False)
        if has_waited:
            self._lock.acquire()
        try:
            if has_waited and is_whole and self._latest is not None:
                # Another thread built it meanwhile.
                return self._latest
            stack = self._built()
            if is_whole:
                self._latest = stack
            return stack
        finally:
            self._lock.release()

    def _built(self) -> Any:
        if self._is_building or self.is_undone:
            return self._build_below()
        if self._app.build_middleware_stack != self.build:
            return self._inside_of_another()
        self._is_building = True
        try:
            self._before_build(self._app)
            # Who was asked for spans just now has put himself in our place.
            outermost = self._app.build_middleware_stack
            stack = self._build_below() if outermost == self.build else outermost()
        finally:
            self._is_building = False
        return self._noting(insert(stack, self.make))

    def _noting(self, stack: Any) -> Any:
        """Put a `ScopeNote` before the router, if it is not there already."""
        for each in chain(stack):
            if getattr(each, "app", None) is self._app.router and not isinstance(each, ScopeNote):
                alone = span_middleware(stack) is not None or self._plan.settings.spans == "none"
                each.app = ScopeNote(self._app.router, alone)
                break
        return stack

    def _rebuilt(self, stack: Any) -> Any:
        """A stack that exists stays, with the state of its middleware; ours and spans are put around it."""
        below, self._build_below = self._build_below, lambda: stack
        try:
            return self.build()
        finally:
            self._build_below = below

    def _inside_of_another(self) -> Any:
        """Somebody wrapped the method after us, and takes the outermost middleware apart.

        What he builds around is a place holder that moves ours to its place at the first call.
        """
        self._before_build(self._app)
        stack = self._build_below()
        stack.app = PlaceHolder(stack.app, self)
        return stack

    def make(self, below: Any) -> Any:
        """Make our middleware around what is below it."""
        made = self._make(below)
        self._made.append(made)
        return made

    def is_in_place(self) -> bool:
        """Tell whether ours is in the stack that is in use, or was taken back."""
        return self.is_undone or any(self._is_ours(each) for each in chain(self._app.middleware_stack))

    def move(self) -> None:
        """Put ours into the stack that is in use."""
        if self._app.middleware_stack is not None:
            self._app.middleware_stack = self._noting(insert(self._app.middleware_stack, self.make))

    def undo(self) -> None:
        """Take ours out of the stack; later stacks are built without."""
        self.is_undone = True
        self._latest = None
        if self._app.build_middleware_stack == self.build:
            self._app.build_middleware_stack = self._build_below
        if self._is_ours(self._app.middleware_stack):
            self._app.middleware_stack = self._app.middleware_stack.app
        for each in chain(self._app.middleware_stack):
            below: Any = getattr(each, "app", None)
            if self._is_ours(below):
                each.app = below.app

    def _is_ours(self, middleware: Any) -> bool:
        return any(middleware is made for made in self._made)


class ScopeNote:
    """Tells the exchange which scope the router fills: middleware before it may have made a copy.

    Args:
        app: The router.
        alone: Whether FastAPI applications that are mounted below make no spans, metrics and log events of
            their own: OpenTelemetry's middleware is outside, or nobody shall.
    """

    def __init__(self, app: Any, alone: bool = False) -> None:
        self.app = app
        self._is_alone = alone

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Call the router; no coroutine of ours stands between."""
        exchange = scope.get(KEY)
        if exchange is not None:
            exchange.scope = scope
            if self._is_alone:
                # As FastAPI itself keeps mounted applications from watching what it was told to leave out.
                scope.setdefault("fastapi.telemetry", None)
        return self.app(scope, receive, send)


class PlaceHolder:
    """Stands where ours must not stay, and has it moved where it belongs at the first call.

    That is the call for the lifespan, if the server makes one; else the first request finds ours here, inside
    of Starlette's middleware for errors.

    Args:
        app: The application below.
        placement: Which moves ours.
    """

    def __init__(self, app: Any, placement: Placement) -> None:
        self.app = app
        self._placement = placement
        self._ours: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a call; ours lets those pass that have met it outside already."""
        if self._ours is None:
            self._ours = self._placement.make(self.app)
        if KEY not in scope and not self._placement.is_in_place():
            # The first call; or another thread's stack took the place of the one that ours was in.
            self._placement.move()
        serve = self.app if self._placement.is_undone else self._ours
        await serve(scope, receive, send)
