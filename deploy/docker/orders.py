"""The service that these files deploy: one route and one for probes, every setting from the environment."""

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

import fapilog

telemetry = fapilog.configure_otel()
log = fapilog.get_logger("orders")

app = FastAPI()
FastAPIInstrumentor.instrument_app(app, excluded_urls="healthz")


@app.get("/orders/{order_id}")
async def read_order(order_id: int) -> dict[str, int]:
    """Answer one order; the record carries the trace id of the request."""
    log.info("order read", order_id=order_id)
    return {"order_id": order_id}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer the probes. A collector that is away is no reason to restart a pod that can spool."""
    return {"telemetry": telemetry.health().status}
