"""An application that logs steadily in a thread of its own."""

import threading
from typing import Self

from tests.integration.faults.judge import Application, wait_until

BURST = 20
PACE_SECONDS = 0.002


class Flow:
    """Logs bursts of records until the block is left.

    Args:
        application: Whose records; nobody else may log with it meanwhile.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    def further(self, records: int) -> None:
        """Waits until so many more records were logged."""
        wanted = self.application.logged + records
        wait_until(lambda: self.application.logged >= wanted, f"{records} more records logged")

    def _run(self) -> None:
        while not self._stopping.wait(PACE_SECONDS):
            self.application.log("during", 1, BURST)
