"""A FastAPI application that logs on its own and through `logging`; served by uvicorn, ended by a signal."""

import logging
import os

from fastapi import FastAPI

import fapilog

telemetry = fapilog.configure_otel(buffer={"schedule_delay_millis": 60_000})
log = fapilog.get_logger("served")
app = FastAPI()


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    await log.info("order", number=number, process=os.getpid())
    logging.getLogger("legacy").warning("order %d", number)
    return {"number": number, "process": os.getpid()}
