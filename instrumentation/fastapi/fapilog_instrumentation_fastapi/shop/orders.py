"""Orders: placed, read, exported, paid and asked about."""

import logging
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, HTTPException, WebSocket
from fastapi.responses import StreamingResponse

import fapilog

from .dependencies import Database, RequestLogger
from .models import NewOrder, Order

log = fapilog.get_logger("shop")
billing = logging.getLogger("legacy.billing")
router = APIRouter(prefix="/orders")


def send_receipt(order_id: int, customer: str) -> None:
    """A background task: it runs when the response is gone, and its record still belongs to the request."""
    log.info(f"receipt of order {order_id} sent to {customer}")


@router.post("", status_code=201)
def place(order: NewOrder, orders: Database, tasks: BackgroundTasks) -> Order:
    """Place an order; FastAPI runs this in a thread, because it is no coroutine."""
    order_id = orders.add(order.item, order.count)
    with fapilog.bind_context(order_id=order_id):
        # The whole model: what is marked as sensitive is hidden.
        log.info("order placed", order=order, category="business")
        billing.warning("invoice %s is printed by old code", f"R-{order_id}")
    tasks.add_task(send_receipt, order_id, order.customer)
    return Order(order_id=order_id, item=order.item, count=order.count)


@router.get("/{order_id}")
def read(order_id: int, orders: Database, log: RequestLogger) -> Order:
    """Read an order; its logger knows the route."""
    found = orders.find(order_id)
    if found is None:
        raise HTTPException(404, "no such order")
    log.info("order read", order_id=order_id)
    return Order(order_id=order_id, item=found[0], count=found[1])


@router.get("")
async def export(orders: Database) -> StreamingResponse:
    """Every order as CSV; the records of its lines come while the response is under way."""

    def lines() -> Iterator[str]:
        for order_id, item, count in orders.all():
            log.debug("exported", order_id=order_id)
            yield f"{order_id},{item},{count}\n"

    return StreamingResponse(lines(), media_type="text/csv")


@router.post("/{order_id}/payment")
async def pay(order_id: int, card: Annotated[str, Header(alias="X-Card")] = "") -> None:
    """Fail, with a card in the text of the cause: nobody handles it, and it is one record."""
    try:
        raise ConnectionResetError(f"the bank closed the connection for card {card}")
    except ConnectionResetError as cause:
        raise RuntimeError(f"order {order_id} was not paid") from cause


@router.websocket("/{order_id}/news")
async def news(websocket: WebSocket, order_id: int) -> None:
    """Answer questions; the connection has one access record, at its end."""
    await websocket.accept()
    async for question in websocket.iter_text():
        log.info("asked", order_id=order_id, question=question)
        await websocket.send_text(f"order {order_id}: on its way")
