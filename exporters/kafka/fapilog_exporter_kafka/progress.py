"""Where one batch stands: what is to be sent, what waits for a report, what is decided.

Stage 6 of 7, export. A state machine without input or output, but for a letter box that the poller fills:
at every moment delivered + dropped + waiting + to do = all. Threads: delivery loop; `report` the poller.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fapilog_exporter_kafka.messages import Encoded, Message
from fapilog_exporter_kafka.reports import Fate, Report

RECORD_TOO_LARGE = "record_too_large"
NOT_ENCODED = "not_encoded"


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        messages: Messages that were handed to librdkafka, whatever became of them.
        delivered: Records that are written, on all replicas in sync.
        dropped: Records that were given up, by reason.
        resent: Records that may have been written and were sent again: they may be there twice.
    """

    messages: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    resent: int = 0


class Progress:
    """The messages of one batch.

    Args:
        encoded: The messages.
        records: How many the batch holds.
    """

    def __init__(self, encoded: Encoded, records: int) -> None:
        self.delivered = 0
        self.resent = 0
        self.dropped: Counter[str] = Counter()
        self.causes: dict[str, str] = {}
        self.later: Report | None = None
        self._todo = deque(encoded.messages)
        self._again: list[Message] = []
        self._waiting: dict[int, Message] = {}
        self._taken = 0
        self._letters: deque[tuple[int, Report]] = deque()
        self._ring: Callable[[], object] = bool
        self._rung = False
        self._drop(RECORD_TOO_LARGE, encoded.too_large, "larger than max_message_bytes")
        counted = sum(message.records for message in encoded.messages) + encoded.too_large
        self._drop(NOT_ENCODED, max(0, records - counted), "the bytes of the batch are damaged")

    @property
    def done(self) -> bool:
        """Whether every record is delivered or dropped."""
        return not (self._todo or self._again or self._waiting)

    @property
    def waits(self) -> bool:
        """Whether a report is still to come."""
        return bool(self._waiting)

    def begin(self, ring: Callable[[], object]) -> None:
        """A call begins: what failed in the last one is to be sent; `ring` is called when letters came."""
        self._ring, self._rung = ring, False
        self.later = None
        self._todo.extend(self._again)
        self._again.clear()

    def take(self) -> tuple[int, Message] | None:
        """Return the next message to be sent, which now waits, and the number that its report must name."""
        if not self._todo:
            return None
        self._taken += 1
        self._waiting[self._taken] = message = self._todo.popleft()
        return self._taken, message

    def put_back(self, number: int) -> None:
        """There was no room for that message."""
        self._todo.appendleft(self._waiting.pop(number))

    def report(self, number: int, report: Report) -> None:
        """Put a report into the letter box; from any thread."""
        self._letters.append((number, report))
        # Who reads clears the mark first: a letter that finds it set is read.
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # that loop has ended; the next call reads it
                self._ring()

    def read_letters(self) -> None:
        """Apply the reports that came."""
        self._rung = False
        while self._letters:
            number, report = self._letters.popleft()
            message = self._waiting.pop(number, None)
            if message is not None:
                self._apply(message, report)

    def give_back(self, report: Report) -> None:
        """Nothing is reported any more of what waits: it comes again."""
        for number in tuple(self._waiting):
            self._apply(self._waiting.pop(number), report)

    def told(self) -> tuple[int, Counter[str], int]:
        """Return delivered, dropped and resent since the last time, and begin to count anew."""
        said = self.delivered, self.dropped, self.resent
        self.delivered, self.dropped, self.resent = 0, Counter(), 0
        return said

    def _apply(self, message: Message, report: Report) -> None:
        if report.fate is Fate.TAKEN:
            self.delivered += message.records
        elif report.fate is Fate.LATER:
            self.later = report
            self.resent += message.records if report.uncertain else 0
            self._again.append(message)
        elif report.fate is Fate.TOO_LARGE and (halves := message.halves()):
            self._todo.extend(halves)
        else:
            self._drop(report.reason, message.records, report.cause)

    def _drop(self, reason: str, records: int, cause: str) -> None:
        if records:
            self.dropped[reason] += records
            self.causes[reason] = cause
