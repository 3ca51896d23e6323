"""What runs beside a test, in threads: whatever raises or hangs there is the test's failure."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from fapilog import Ledger

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.002


def wait_until(
    met: Callable[[], object],
    what: str = "what the test waits for",
    timeout_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Blocks until a condition holds; it is the test's failure when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not met():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def joined(threads: Iterable[threading.Thread], timeout_seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for threads; one that does not end is the test's failure."""
    for thread in threads:
        thread.join(timeout_seconds)
        assert not thread.is_alive(), f"not ended within {timeout_seconds} s: {thread.name}"


def seeded(seed: int | None = None) -> random.Random:
    """Random numbers of a new seed that the report of a failing test shows; given, they come again."""
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print("seed", seed)
    return random.Random(seed)


@contextmanager
def beside(*calls: Callable[[], object], pause_seconds: float = 0.0) -> Iterator[threading.Event]:
    """Makes each call again and again in a thread of its own while the block runs.

    Yields:
        An event that is set as soon as a call raised; at the end of the block, its exception is raised there.
    """
    ended, failed = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def repeat(call: Callable[[], object]) -> None:
        try:
            while not ended.is_set():
                call()
                ended.wait(pause_seconds)
        except BaseException as error:
            raised.append(error)
            failed.set()

    threads = [threading.Thread(target=repeat, args=(call,), name=repr(call), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        ended.set()
        joined(threads)
        if raised:
            raise raised[0]


class Ledgers:
    """Reads a ledger again and again: each has to add up.

    Args:
        read: Reads it.

    Attributes:
        looks: How often it was read.
        most_spooled: The most records of all exporters together that were on disk at one look.
    """

    def __init__(self, read: Callable[[], Ledger]) -> None:
        self._read = read
        self.looks = 0
        self.most_spooled = 0

    def look(self) -> Ledger:
        """Reads it once and answers it.

        Raises:
            AssertionError: It does not add up.
        """
        ledger = self._read()
        assert ledger.balanced, str(ledger)
        self.looks += 1
        self.most_spooled = max(self.most_spooled, sum(side.spooled for side in ledger.exporters.values()))
        return ledger
