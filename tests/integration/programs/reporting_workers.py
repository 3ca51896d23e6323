"""A server that forks workers in the ways servers do; each logs some records, and ends in its own way.

Argument: `before`, when it configures before it forks, as with gunicorn's `--preload`; `after`, when each
worker configures; `both`, when workers end what they inherited and configure anew.
"""

import multiprocessing
import os
import signal
import sys

import fapilog

WHEN = sys.argv[1]


def configure(service: str = "shop") -> fapilog.Telemetry:
    return fapilog.configure_otel(service, exit_report=True, capture_location="never")


def work(records: int) -> None:
    if WHEN == "both":
        configure().shutdown()
    if WHEN != "before":
        configure("worker")
    for number in range(records):
        fapilog.get_logger("worker").info(str(number))


def forked(records: int, *, by_signal: bool) -> None:
    child = os.fork()
    if child == 0:
        work(records)
        if by_signal:
            os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(0)
    os.waitpid(child, 0)


if WHEN != "after":
    configure()
    fapilog.get_logger("server").info("ready")
forked(2, by_signal=False)
forked(3, by_signal=True)
process = multiprocessing.get_context("fork").Process(target=work, args=(4,))
process.start()
process.join()
