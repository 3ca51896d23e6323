"""Logs numbers until it is killed, and says in shared memory which call returned last.

Arguments: file of the shared words, first number, records at most, and the way:
`kill` logs and waits; `return` logs and ends; `serve` logs, then shuts down when told; `forked` logs in a
child and in the parent; `memory` logs until memory is used up, and ends by SIGKILL then; `stages` logs, says
whether all is delivered, logs as many again when told, and waits.
"""

import mmap
import os
import resource
import signal
import sys
import time
from pathlib import Path

import fapilog
import fapilog.settings.spool

told, first, records, way = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
PAUSES = {"initial_backoff_millis": 1, "max_backoff_millis": 50}
BUFFER = {
    "limit_bytes": 1 << 22,
    "chunk_bytes": 1 << 15,
    "record_bytes": 1 << 13,
    "schedule_delay_millis": 20,
    "shutdown_timeout_millis": 10_000,
    "overflow": "wait",
    "wait_timeout_millis": 30_000,
}


def say(*words: object) -> None:
    print(*words, flush=True)


def log_all(start: int, at: int = 0) -> None:
    with told.open("r+b") as file:
        # One store each, which no kill can cut in two; `struct` writes zeros first.
        words = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
        log = fapilog.get_logger("orders")
        for number in range(start, start + records):
            log.info(str(number), padding="x" * (number % 300))
            words[at // 8] = number + 1


def use_up_memory() -> None:
    """What the memory killer meets: nothing can be allocated any more, and then the process is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + (64 << 20), used + (64 << 20)))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(1 << 20))
    except MemoryError:
        log_all(first + records)
    os.kill(os.getpid(), signal.SIGKILL)


fapilog.settings.spool.ADOPT_INTERVAL_MILLIS = 100
telemetry = fapilog.configure_otel(
    "shop", capture_location="never", buffer=BUFFER, ring={"limit_bytes": 1 << 19}, otlp={"retry": PAUSES}
)
if way == "forked":
    fapilog.get_logger("orders").info(str(first - 1))
    child = os.fork()
    log_all(first if child else first + 1_000_000, 0 if child else 8)
    if child:
        say("ready", child)
    time.sleep(60)
log_all(first)
if way == "memory":
    use_up_memory()
elif way == "serve":
    say("ready")
    sys.stdin.readline()
    telemetry.shutdown()
    say(telemetry.ledger().balanced, telemetry.ledger().adopted)
elif way == "stages":
    say(telemetry.force_flush(30_000))
    sys.stdin.readline()
    log_all(first + records)
    say("ready")
    time.sleep(60)
elif way == "kill":
    say("ready")
    time.sleep(60)
