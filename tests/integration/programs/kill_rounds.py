"""Forks one process after another: each logs until it is killed, and a last one delivers the rest.

Arguments: rounds, and a seed. For each round one line: round, calls that returned, how the child ended, and
how many segments of spools there are. Waits for a line before each one. The children have nothing of fapilog
from their parent, which never configures it.
"""

import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fapilog
import fapilog.providers  # what a child would import, once for all
import fapilog.telemetry

rounds, chance = int(sys.argv[1]), random.Random(int(sys.argv[2]))
PER_ROUND = 1_000_000
SPOOL, RING = (Path(os.environ[f"FAPILOG_{name}_DIRECTORY"]) for name in ("SPOOL", "RING"))
# Shared with the children: calls that returned, and whether the child has ended well. One store for each,
# which no kill can cut in two.
words = memoryview(mmap.mmap(-1, 16)).cast("q")


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
    os._exit(0)


def fork(run: Callable[..., None], *arguments: int) -> int:
    words[0] = words[1] = 0
    child = os.fork()
    if child == 0:
        try:
            run(*arguments)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)  # whoever comes here has raised, or logged all it had
    return child


def kill_soon(child: int, number: int) -> tuple[int, int, int]:
    """Kill when enough calls returned, or at a random moment after the child got stuck behind a full ring."""
    wanted = 1 << number % 12
    wanted += chance.randrange(wanted)
    patience = 0.02 + chance.random() * 0.1
    started = moved = time.monotonic()
    before = 0
    while (returned := words[0]) < wanted:
        now = time.monotonic()
        if returned != before or (returned == 0 and now < started + 20):
            before, moved = returned, now
        elif now > moved + patience:
            break
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return words[0], ended, len(list(SPOOL.rglob("seg-*")))


for number in range(rounds):
    sys.stdin.readline()
    print(number, *kill_soon(fork(log_for_ever, number), number), flush=True)
sys.stdin.readline()
# One process takes a few spools over at once, and ends when it has delivered these.
for _ in range(rounds):
    _, ended = os.waitpid(fork(deliver), 0)
    assert ended == 0, ended
    if not any(path.is_file() for place in (SPOOL, RING) for path in place.rglob("*")):
        break
print("end", words[1], flush=True)
