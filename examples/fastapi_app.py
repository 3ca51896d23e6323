"""A FastAPI service: spans by OpenTelemetry's own instrumentation, logs by fapilog, uvicorn's logs too.

Run it: pip install "fapilog[fastapi]", then uvicorn fastapi_app:app.
"""

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

import fapilog

fapilog.configure_otel(service_name="orders")
log = fapilog.get_logger("orders")

app = FastAPI()
FastAPIInstrumentor.instrument_app(app)


@app.get("/orders/{order_id}")
async def read_order(order_id: int) -> dict[str, int]:
    """Answer one order; the record carries the trace id of the request."""
    with fapilog.bind_context(order_id=order_id):
        log.info("order read")
    return {"order_id": order_id}
