"""Where the middleware stands: inside the server span, outside of every other middleware.

Starlette builds its stack of middleware at the first call, the one for the lifespan included. We put ours
into the stack as it is then. So it does not matter who instruments an application first, we or
OpenTelemetry's instrumentor, and spans are decided when all is known.
Threads: the configuring one, or the first request's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SPAN_MIDDLEWARE = ("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware")
# Longer stacks are circles.
_LONGEST = 1_000

Make = Callable[[Any], Any]


def chain(stack: Any) -> list[Any]:
    """Return the middleware of a stack from the outside in, as far as each keeps the next one in `app`."""
    found: list[Any] = []
    while stack is not None and len(found) < _LONGEST and not any(stack is each for each in found):
        found.append(stack)
        stack = getattr(stack, "app", None)
    return found


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
    """

    def __init__(self, app: Any, make: Make, before_build: Callable[[Any], object]) -> None:
        self._app = app
        self._make = make
        self._before_build = before_build
        self._build_below: Callable[[], Any] = app.build_middleware_stack
        self._is_building = False
        self._ours: Any = None
        app.build_middleware_stack = self.build
        if app.middleware_stack is not None:
            app.middleware_stack = self.build()

    def build(self) -> Any:
        """Stand in for `build_middleware_stack` of the application."""
        if self._is_building:
            return self._build_below()
        if self._app.build_middleware_stack != self.build:
            return self._inside_of_another()
        self._is_building = True
        try:
            self._before_build(self._app)
            # Who instrumented the application just now has put himself in our place.
            if self._app.build_middleware_stack != self.build:
                stack = self._app.build_middleware_stack()
            else:
                stack = self._build_below()
        finally:
            self._is_building = False
        return insert(stack, self._made)

    def _inside_of_another(self) -> Any:
        """Somebody wrapped the method after us, and takes the outermost middleware apart.

        What he builds around is a place holder that moves ours to its place at the first call.
        """
        stack = self._build_below()
        stack.app = PlaceHolder(stack.app, self._app, self._make)
        return stack

    def _made(self, below: Any) -> Any:
        self._ours = self._make(below)
        return self._ours

    def undo(self) -> None:
        """Take ours out of the stack, and out of the way of a later one."""
        if self._app.build_middleware_stack == self.build:
            self._app.build_middleware_stack = self._build_below
        else:
            self._make = _pass
        for each in chain(self._app.middleware_stack):
            if getattr(each, "app", None) is self._ours and self._ours is not None:
                each.app = self._ours.app
        if self._app.middleware_stack is self._ours and self._ours is not None:
            self._app.middleware_stack = self._ours.app


class PlaceHolder:
    """Stands where ours must not stay, and moves it where it belongs at the first call.

    Args:
        app: The application below.
        owner: Whose stack it is.
        make: Makes the middleware.
    """

    def __init__(self, app: Any, owner: Any, make: Make) -> None:
        self.app = app
        self._owner = owner
        self._make = make
        self._is_moved = False
        self._first: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the first call through ours, every other one without."""
        if not self._is_moved:
            self._is_moved = True
            self._first = self._make(self.app)
            if self._owner.middleware_stack is not None:
                self._owner.middleware_stack = insert(self._owner.middleware_stack, self._make)
        # A request that came before ours was moved has no exchange yet; ours lets all others pass.
        await self._first(scope, receive, send)


def _pass(below: Any) -> Any:
    return below
