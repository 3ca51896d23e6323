"""Attributes that many records share: `bind` for a logger, `bind_context` for a task or thread."""

import asyncio
import logging

import fapilog

fapilog.configure_otel(service_name="orders")
log = fapilog.get_logger("orders").bind(region="eu")


async def handle(request_id: str) -> None:
    """Log from two places; neither is told the request id."""
    with fapilog.bind_context(request_id=request_id):
        log.info("received")
        await asyncio.sleep(0)  # the other request runs now, with its own context
        logging.getLogger("legacy").info("stdlib records carry it too")
        log.info("answered", region="us")  # the call wins over bind, bind over the context


async def main() -> None:
    """Handle two requests at the same time."""
    await asyncio.gather(handle("r-1"), handle("r-2"))


asyncio.run(main())
