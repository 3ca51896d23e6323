"""The application that `fapilog demo` serves: a small shop that logs as services do, mistakes included.

It needs the extra `fapilog[fastapi]`; `fapilog.cli.demo` loads it only when asked to.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.responses import JSONResponse

import fapilog

# What must never reach a destination; the demo looks for them in everything that the receiver got.
PASSWORD = "correct-horse"  # noqa: S105  # nosec B105 - the bait of the demo, not a password of anything
DATABASE_URL = f"postgresql://shop:{PASSWORD}@db.internal/stock"

log = fapilog.get_logger("shop.orders")
billing = logging.getLogger("legacy.billing")


class PaymentDeclinedError(Exception):
    """The bank said no."""


def create_app() -> FastAPI:
    """Return the application; `fapilog.configure_otel()` is the caller's business, once per process."""
    app = FastAPI(title="fapilog demo")

    @app.get("/orders/{order_id}")
    async def read_order(order_id: int, customer: str) -> dict[str, object]:
        with fapilog.bind_context(order_id=order_id, customer=customer):
            log.debug("cache miss")
            log.info("order placed", amount=12.5, items=["tea", "cup"], category="business")
            billing.warning("invoice %s is printed by old code", f"R-{order_id}")
        return {"order_id": order_id}

    @app.get("/login")
    async def log_in(user: str) -> dict[str, str]:
        log.info("signed in", user=user, password=PASSWORD)
        return {"user": user}

    @app.get("/stock")
    async def read_stock() -> dict[str, int]:
        log.info("connecting", url=DATABASE_URL)
        return {"tea": 7}

    @app.get("/payments/{order_id}")
    async def pay(order_id: int) -> JSONResponse:
        try:
            charge(order_id)
        except PaymentDeclinedError:
            await log.exception("payment failed", order_id=order_id)
        return JSONResponse({"error": "declined"}, status_code=402)

    return app


def charge(order_id: int) -> None:
    """Refuse every payment.

    Raises:
        PaymentDeclinedError: Always, from the answer of a bank that does not exist.
    """
    try:
        raise ConnectionResetError("bank closed the connection")
    except ConnectionResetError as cause:
        raise PaymentDeclinedError(f"order {order_id} was declined") from cause
