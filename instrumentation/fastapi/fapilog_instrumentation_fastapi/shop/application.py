"""The application: routes as services have them, with the mistakes that services make in what they log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI

import fapilog
from fapilog_instrumentation_fastapi.health import health_router
from fapilog_instrumentation_fastapi.outgoing import propagate_correlation

from . import orders, others
from .database import Orders
from .dependencies import current_user


def create_app(database: str = ":memory:", warehouse: Any = None, **options: Any) -> FastAPI:
    """Return the application, instrumented; telemetry is the caller's business, once per process.

    Args:
        database: Path of the SQLite file.
        warehouse: A client of httpx for the service that knows the stock; its requests carry the correlation
            id. Default: nothing is in stock.
        **options: Of `fapilog.instrument_fastapi`.

    Example:
        >>> create_app(spans="none").title
        'shop'
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.orders.close()

    app = FastAPI(title="shop", lifespan=lifespan, dependencies=[Depends(current_user)])
    app.state.orders = Orders(database)
    app.state.warehouse = None if warehouse is None else propagate_correlation(warehouse)
    for router in (health_router(), orders.router, others.router):
        app.include_router(router)
    # Nobody wants to read every request twice.
    options.setdefault("access", {"silence_uvicorn": True})
    return fapilog.instrument_fastapi(app, **options)
