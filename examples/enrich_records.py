"""Attributes for every record: constant, bound to a user, and read now and then by an async function."""

import threading

import fapilog
from fapilog.enrichers import enricher
from fapilog.enrichers.user import bind_user

questions = threading.Semaphore(0)


@enricher(refresh_seconds=0.01)  # so short for this example only
async def deployment() -> dict[str, str]:
    questions.release()  # here you would await a server
    return {"deployment": "blue"}


telemetry = fapilog.configure_otel(
    "orders", exporters=["console"], enrichers=["user", {"team": "checkout"}, deployment]
)
log = fapilog.get_logger("shop")
log.info("no record waits for an answer")
for _ in range(2):  # with the second question the first answer is there
    questions.acquire()

with bind_user("u-7"):
    log.info("order placed", order_id=42)
telemetry.shutdown()
