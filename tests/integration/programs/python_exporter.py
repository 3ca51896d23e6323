"""Logs to exporters in Python that write each record to stdout, and ends as its first argument says."""

import asyncio
import os
import sys
import threading
from typing import Any

from waiting import wait_for_a_signal

import fapilog

WAY = sys.argv[1]
parent = os.getpid()


def say(text: str) -> None:
    """One line, whole, also from a child and at the end of the process."""
    os.write(1, f"{text}\n".encode())


class Printing:
    """An exporter of fapilog."""

    name = "printing"

    async def export_batch(self, batch: fapilog.LogBatch) -> fapilog.ExportOutcome:
        if WAY == "hang":
            await asyncio.sleep(3_600)
        for record in batch:
            say(f"{'parent' if os.getpid() == parent else 'child'}: {record.log_record.body}")
        return fapilog.ExportOutcome(delivered=len(batch))

    async def shutdown(self, timeout_millis: int) -> None:
        say("shut down" if os.getpid() == parent else "child shut down")


class Blocking:
    """An exporter of OpenTelemetry that never comes back."""

    def export(self, batch: Any) -> None:
        threading.Event().wait()

    def shutdown(self) -> None:
        say("blocking shut down")


telemetry = fapilog.configure_otel(
    exporters=[Printing(), *([Blocking()] if WAY == "block" else [])],
    buffer={"schedule_delay_millis": 60_000, "shutdown_timeout_millis": 1_000},
)
log = fapilog.get_logger("orders")
log.info("one")
if WAY == "fork":
    if os.fork() == 0:
        log.info("two")
        sys.exit(0)
    os.wait()
elif WAY == "quiet_fork":
    telemetry.force_flush(10_000)
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
elif WAY == "multiprocessing":
    import multiprocessing

    worker = multiprocessing.get_context("fork").Process(target=log.info, args=("two",))
    worker.start()
    worker.join()
elif WAY == "sigterm":
    wait_for_a_signal()
elif WAY == "exception":
    raise ValueError("no such order")
elif WAY == "late":

    class LogsWhenDeleted:
        """Logs after the last flush."""

        def __init__(self) -> None:
            self.log = log

        def __del__(self) -> None:
            self.log.info("too late for Python")

    kept = LogsWhenDeleted()
