"""Stage 7 of 7, settle: what exporters written in Python did, for metrics. Threads: delivery loop; any reads.

As `native/src/ledger/meters.rs` does it for native exporters: finished operations wait for somebody who asks.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import NamedTuple

# Operations kept of one exporter when nobody asks; the oldest go, as natively.
_KEEP = 1_024


class Operation(NamedTuple):
    """One batch of one exporter, with all attempts.

    Attributes:
        seconds: From the first attempt to the decision.
        error_type: Of the last attempt; empty: it was taken.
    """

    seconds: float
    error_type: str


class Operations:
    """The operations of all Python exporters of a provider.

    Example:
        >>> operations = Operations()
        >>> operations.finished("webhook", 0.5, "503")
        >>> operations.rejected("webhook", "400", 3)
        >>> operations.take("webhook"), operations.take("webhook"), operations.rejections("webhook")
        ([Operation(seconds=0.5, error_type='503')], [], {'400': 3})
    """

    def __init__(self) -> None:
        self.begin_process()

    def begin_process(self) -> None:
        """Forget everything; in a forked child what there is, is the parent's, and so may be the lock."""
        self._lock = threading.Lock()
        self._finished: dict[str, deque[Operation]] = {}
        self._rejected: dict[str, Counter[str]] = {}

    def finished(self, exporter: str, seconds: float, error_type: str) -> None:
        """Remember an operation that is over."""
        with self._lock:
            done = self._finished.setdefault(exporter, deque(maxlen=_KEEP))
            done.append(Operation(seconds, error_type))

    def rejected(self, exporter: str, error_type: str, records: int) -> None:
        """Count records that were refused for good."""
        with self._lock:
            self._rejected.setdefault(exporter, Counter())[error_type] += records

    def take(self, exporter: str) -> list[Operation]:
        """Return what was finished since the last call, oldest first."""
        with self._lock:
            done = self._finished.pop(exporter, None)
        return list(done or ())

    def rejections(self, exporter: str) -> dict[str, int]:
        """Return the rejected records by `error.type`, since the start."""
        with self._lock:
            return dict(self._rejected.get(exporter, {}))


def error_type_of(error: BaseException) -> str:
    """Return the qualified name of an exception's type, as `error.type` has it (semantic conventions).

    Example:
        >>> error_type_of(ConnectionResetError())
        'ConnectionResetError'
    """
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
