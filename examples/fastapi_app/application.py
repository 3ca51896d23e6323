"""The application: routes as services have them, with the mistakes that services make in what they log."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse

import fapilog
from fapilog_instrumentation_fastapi import RequestLogger, bind_user, health_router, propagate_correlation

from .database import Orders
from .models import Login, NewOrder, Order

log = fapilog.get_logger("shop")


def orders_of(request: Request) -> Orders:
    """The database of the application, for `Depends`."""
    orders: Orders = request.app.state.orders
    return orders


async def current_user(user: Annotated[str | None, Header(alias="X-User")] = None) -> None:
    """Who asks, as a gateway tells it; later records of the request carry it."""
    if user is not None:
        bind_user(user)


Database = Annotated[Orders, Depends(orders_of)]


def create_app(database: str = ":memory:", warehouse: Any = None, **options: Any) -> FastAPI:
    """Return the application, instrumented.

    Args:
        database: Path of the SQLite file.
        warehouse: A client of httpx for the service that knows the stock; its requests carry the correlation
            id. Default: nothing is in stock.
        **options: Of `fapilog.instrument_fastapi`.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.orders.close()

    app = FastAPI(title="shop", lifespan=lifespan, dependencies=[Depends(current_user)])
    app.state.orders = Orders(database)
    app.state.warehouse = None if warehouse is None else propagate_correlation(warehouse)
    app.include_router(health_router())
    _add_orders(app)
    _add_others(app)
    # Nobody wants to read every request twice.
    options.setdefault("access", {"silence_uvicorn": True})
    return fapilog.instrument_fastapi(app, **options)


def send_receipt(order_id: int, customer: str) -> None:
    """A background task: it runs when the response is gone, and its record still belongs to the request."""
    log.info(f"receipt of order {order_id} sent to {customer}")


def _add_orders(app: FastAPI) -> None:
    @app.post("/orders", status_code=201)
    def place(order: NewOrder, orders: Database, tasks: BackgroundTasks) -> Order:
        order_id = orders.add(order.item, order.count)
        # The whole model: what is marked as sensitive is hidden.
        log.info("order placed", order_id=order_id, order=order)
        tasks.add_task(send_receipt, order_id, order.customer)
        return Order(order_id=order_id, item=order.item, count=order.count)

    @app.get("/orders/{order_id}")
    def read(order_id: int, orders: Database, log: RequestLogger) -> Order:
        found = orders.find(order_id)
        if found is None:
            raise HTTPException(404, "no such order")
        log.info("order read", order_id=order_id)
        return Order(order_id=order_id, item=found[0], count=found[1])

    @app.get("/orders")
    async def export(orders: Database) -> StreamingResponse:
        def lines() -> Iterator[str]:
            for order_id, item, count in orders.all():
                log.debug("exported", order_id=order_id)
                yield f"{order_id},{item},{count}\n"

        return StreamingResponse(lines(), media_type="text/csv")

    @app.post("/orders/{order_id}/payment")
    async def pay(order_id: int, card: Annotated[str, Header(alias="X-Card")] = "") -> None:
        try:
            raise ConnectionResetError(f"the bank closed the connection for card {card}")
        except ConnectionResetError as cause:
            raise RuntimeError(f"order {order_id} was not paid") from cause

    @app.websocket("/orders/{order_id}/news")
    async def news(websocket: WebSocket, order_id: int) -> None:
        await websocket.accept()
        async for question in websocket.iter_text():
            log.info("asked", order_id=order_id, question=question)
            await websocket.send_text(f"order {order_id}: on its way")


def _add_others(app: FastAPI) -> None:
    @app.post("/login")
    async def log_in(login: Login, request: Request) -> dict[str, str]:
        # A mistake that everybody makes once: all headers, so the token and the cookie, too.
        log.info("signed in", user=login.user, password=login.password, headers=dict(request.headers))
        return {"user": login.user}

    @app.get("/stock/{item}")
    async def stock(item: str, request: Request) -> dict[str, int]:
        warehouse = request.app.state.warehouse
        if warehouse is None:
            return {item: 0}
        answer = await warehouse.get(f"/stock/{item}")
        log.info("warehouse asked", item=item, status=answer.status_code)
        return {item: answer.json()[item] + 1}
