"""An application that logs steadily in a thread of its own."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.integration.beside import beside, wait_until
from tests.integration.faults.judge import Application

BURST = 20
PACE_SECONDS = 0.002


@contextmanager
def flow(application: Application, most: Callable[[], float] = lambda: math.inf) -> Iterator[None]:
    """Logs bursts of records until the block is left; nobody else may log with it meanwhile.

    Pauses while `most` records are logged.
    """

    def burst() -> None:
        if application.logged < most():
            application.log("during", 1, BURST)

    with beside(burst, pause_seconds=PACE_SECONDS):
        yield


def further(application: Application, records: int) -> None:
    """Waits until so many more records were logged."""
    wanted = application.logged + records
    wait_until(lambda: application.logged >= wanted, f"{records} more records logged")
