"""Forks one process after another: each logs until it is killed, and a last one delivers the rest.

Arguments: rounds, and a seed. For each round one line: round, calls that returned. Waits for a line
before each one. The children have nothing of fapilog from their parent, which never configures it.
"""

import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path

import fapilog
import fapilog.providers  # what a child would import, once for all
import fapilog.telemetry

rounds, chance = int(sys.argv[1]), random.Random(int(sys.argv[2]))
PER_ROUND = 1_000_000
words = mmap.mmap(
    -1, 16
)  # shared with the children: calls that returned, and whether the child has ended well


def configure(ending_millis: int) -> fapilog.Telemetry:
    return fapilog.configure_otel(
        "shop",
        capture_location="never",
        buffer={
            "limit_bytes": 1 << 21,
            "chunk_bytes": 1 << 14,
            "record_bytes": 1 << 12,
            "schedule_delay_millis": 5,
            "shutdown_timeout_millis": ending_millis,
            "overflow": "wait",
            "wait_timeout_millis": 30_000,
        },
        ring={"limit_bytes": 1 << 18},
        spool={"segment_bytes": 1 << 17},
        otlp={"max_in_flight": 1, "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 20}},
    )


def log_for_ever(number: int) -> None:
    """What is killed. What it says of an absent collector would fill the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    configure(1_000)
    log = fapilog.get_logger(f"orders.{number % 7}")
    for count in range(PER_ROUND):
        log.info(str(number * PER_ROUND + count), padding="x" * (count % 200))
        words[0] = count + 1


def deliver() -> None:
    """What lives: it takes over what is left, and ends in order."""
    telemetry = configure(60_000)
    fapilog.get_logger("orders").info("-1")
    done = telemetry.shutdown(60_000)
    ledger = telemetry.ledger()
    words[1] = int(done and ledger.balanced)


def fork(run: object, *arguments: int) -> int:
    words[0] = 0
    child = os.fork()
    if child == 0:
        try:
            run(*arguments)  # type: ignore[operator]
        finally:
            os._exit(0)
    return child


def kill_soon(child: int) -> int:
    """Kill at a random number of records, or at a random moment if the child is stuck behind a full ring."""
    wanted = 1 << chance.randrange(12)
    wanted += chance.randrange(wanted)
    patience = 0.02 + chance.random() * 0.1
    started = begun = time.monotonic()
    while (returned := words[0]) < wanted:
        now = time.monotonic()
        if returned == 0 and now < started + 20:
            begun = now
        elif now > begun + patience:
            break
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return int(words[0])


for number in range(rounds):
    sys.stdin.readline()
    print(number, kill_soon(fork(log_for_ever, number)), flush=True)
sys.stdin.readline()
places = [Path(os.environ[f"FAPILOG_{name}_DIRECTORY"]) for name in ("SPOOL", "RING")]
# One process takes a few spools over at once, and ends when it has delivered these.
for _ in range(rounds):
    os.waitpid(fork(deliver), 0)
    if not any(path.is_file() for place in places for path in place.rglob("*")):
        break
print("end", words[1], flush=True)
