"""Forks with an enricher that is refreshed: parent and child log when it has answered in their process."""

import os
import threading
import time

import fapilog
from fapilog._native import decode_record

PATIENCE_SECONDS = 20.0
seen: dict[str, object] = {}


async def asked_by() -> dict[str, int]:
    """Answers with the process that it runs in."""
    return {"asked_by": os.getpid()}


def log_when_asked(body: str) -> None:
    """Logs until a record carries the answer of this process, and then the body."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while seen.get("asked_by") != os.getpid():
        assert time.monotonic() < deadline, seen
        log.debug("waiting")
        pause.wait(0.005)
    log.info(body)


telemetry = fapilog.configure_otel(enrichers=["process", asked_by], level="debug")
log = fapilog.get_logger("orders")
telemetry.logger_provider.pipeline.add_tap(lambda record, _: seen.update(decode_record(record)[5]))
log_when_asked("parent")
child = os.fork()
if child == 0:
    log_when_asked("child")
else:
    assert os.waitpid(child, 0)[1] == 0
assert telemetry.ledger().balanced
