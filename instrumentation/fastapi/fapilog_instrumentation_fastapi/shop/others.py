"""Signing in, and the stock, which another service knows."""

from fastapi import APIRouter, Request

import fapilog

from .models import Login

# What must not stand in a record, and does in many: a URL with a password.
STOCK_LIST = "postgresql://shop:correct-horse@db.internal/stock"

log = fapilog.get_logger("shop")
router = APIRouter()


@router.post("/login")
async def log_in(login: Login, request: Request) -> dict[str, str]:
    """Sign in, with a mistake that everybody makes once: all headers, so the token and the cookie, too."""
    await log.info("signed in", user=login.user, password=login.password, headers=dict(request.headers))
    return {"user": login.user}


@router.get("/stock/{item}")
async def stock(item: str, request: Request) -> dict[str, int]:
    """Ask the warehouse; its records have the same correlation id."""
    warehouse = request.app.state.warehouse
    if warehouse is None:
        log.info("no warehouse, the list is read", url=STOCK_LIST)
        return {item: 0}
    answer = await warehouse.get(f"/stock/{item}")
    log.info("warehouse asked", item=item, status=answer.status_code)
    return {item: answer.json()[item] + 1}
