"""What endpoints get from `Depends`: the database, a logger, and on whose behalf a request is."""

from typing import Annotated

from fastapi import Depends, Header, Request

import fapilog
from fapilog_instrumentation_fastapi.dependencies import bind_user, request_logger

from .database import Orders


def orders_of(request: Request) -> Orders:
    """The database of the application."""
    orders: Orders = request.app.state.orders
    return orders


def current_user(user: Annotated[str | None, Header(alias="X-User")] = None) -> None:
    """Who asks, as a gateway says it; later records of the request carry it, though this runs in a thread."""
    if user is not None:
        bind_user(user)


Database = Annotated[Orders, Depends(orders_of)]
RequestLogger = Annotated[fapilog.Logger, Depends(request_logger("shop"))]
