"""A FastAPI application that configures nothing: `opentelemetry-instrument` has done it before this runs."""

import logging
import os

from fastapi import FastAPI

import fapilog

log = fapilog.get_logger("served")
app = FastAPI()


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    log.info("order", number=number, process=os.getpid())
    logging.getLogger("legacy").info("order %d", number)
    return {"number": number, "process": os.getpid()}


@app.get("/threads/{number}")
def in_a_thread(number: int) -> dict[str, int]:
    log.info("order", number=number, process=os.getpid())
    logging.getLogger("legacy").info("order %d", number)
    return {"number": number, "process": os.getpid()}
