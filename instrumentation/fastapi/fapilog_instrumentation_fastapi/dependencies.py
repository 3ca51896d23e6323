"""For `Depends`: loggers of a request, and on whose behalf it is. Thread: caller.

Everything here works without the middleware, too: a logger is a plain one then, and what is bound stays bound
until the task ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from fapilog import Logger, get_logger
from fapilog_instrumentation_fastapi.binding import bind
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, KEY, Exchange

TENANT = "tenant.id"


async def get_request_logger(connection: HTTPConnection) -> Logger:
    """Return a logger bound to the request: `log: Annotated[fapilog.Logger, Depends(get_request_logger)]`.

    Its records have the route, the correlation id, and what was bound for user and tenant before. Its name is
    the endpoint's module. For HTTP and WebSocket, async and sync endpoints.

    Args:
        connection: FastAPI gives it.

    Example:
        >>> import asyncio
        >>> connection = HTTPConnection({"type": "http", "headers": []})
        >>> asyncio.run(get_request_logger(connection)).name
        'fapilog.http'
    """
    endpoint = connection.scope.get("endpoint")
    name = getattr(endpoint, "__module__", None)
    return _logger(connection, name if isinstance(name, str) else "fapilog.http", {})


RequestLogger = Annotated[Logger, Depends(get_request_logger)]
"""The type of a parameter that gets the request's logger: `async def order(log: RequestLogger)`."""


def request_logger(name: str, **attributes: Any) -> Callable[[HTTPConnection], Awaitable[Logger]]:
    """Return a dependency that gives a request's logger with a name, and attributes, of its own.

    Args:
        name: Of the logger, its instrumentation scope.
        **attributes: Bound to every record of it.

    Example:
        >>> audit = request_logger("shop.audit", area="orders")
    """

    async def of_request(connection: HTTPConnection) -> Logger:
        return _logger(connection, name, attributes)

    return of_request


def _logger(connection: HTTPConnection, name: str, attributes: dict[str, Any]) -> Logger:
    exchange: Exchange | None = connection.scope.get(KEY)
    if exchange is None:
        return get_logger(name, **attributes)
    bound: dict[str, Any] = {CORRELATION_ATTRIBUTE: exchange.correlation_id}
    if (route := exchange.route) is not None:
        bound["http.route"] = route
    if exchange.bound is not None:
        bound.update(exchange.bound)
    bound.update(attributes)
    return exchange.plan.get_logger(name, **bound)


def bind_user(  # noqa: PLR0913 - the attributes that there are
    id: object = None,  # noqa: A002 - the attribute is called so
    *,
    name: str | None = None,
    email: str | None = None,
    full_name: str | None = None,
    hash: str | None = None,  # noqa: A002
    roles: Sequence[str] = (),
    **attributes: Any,
) -> None:
    """Say on whose behalf the request is: its later records carry `user.*`, its access record does.

    Call it in a dependency, async or sync, in middleware or in the endpoint. They are personal data: bind
    what you may store.

    Args:
        id: `user.id`.
        name: `user.name`, the name to log in with.
        email: `user.email`.
        full_name: `user.full_name`.
        hash: `user.hash`, to tell users apart without naming them.
        roles: `user.roles`.
        **attributes: Further ones by their full name, such as `{"enduser.id": ...}`.

    Example:
        >>> async def current_user() -> None:
        ...     bind_user("u-7", roles=["admin"])
    """
    given = {"id": id, "name": name, "email": email, "full_name": full_name, "hash": hash}
    bound = {f"user.{key}": value for key, value in given.items() if value is not None}
    if roles:
        bound["user.roles"] = list(roles)
    bind({**bound, **attributes})


def bind_tenant(id: object, **attributes: Any) -> None:  # noqa: A002 - the attribute is called so
    """Say which tenant the request belongs to: `tenant.id` on what `bind_user` puts `user.id` on.

    Args:
        id: `tenant.id`; the semantic conventions have no name for it.
        **attributes: Further ones by their full name.

    Example:
        >>> async def current_tenant() -> None:
        ...     bind_tenant("acme")
    """
    bind({TENANT: id, **attributes})
