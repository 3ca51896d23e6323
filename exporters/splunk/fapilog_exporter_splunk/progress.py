"""Where one batch stands: what is still to be sent, what waits for its acknowledgement, what is decided.

Stage 6 of 7, export. A state machine without input or output: answers go in, ranges of events come out, and
at every moment delivered + dropped + waiting + to do = all. Thread: delivery loop.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from fapilog_exporter_splunk.answers import INCORRECT_INDEX, INDEXED_FIELDS, Answer, Fate
from fapilog_exporter_splunk.events import Events
from fapilog_exporter_splunk.settings import SplunkHecSettings

EVENT_TOO_LARGE = "event_too_large"
_DROPS_ALL = (Fate.REFUSED, Fate.TOKEN, Fate.NOT_FOUND)

Key = tuple[str, int]
"""What an acknowledgement is known by: its channel and its id."""


@dataclass(frozen=True)
class Piece:
    """Events from `start` to before `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Waiting:
    """Events that were taken and are not acknowledged.

    They are sent again when a question that is put after `deadline` (monotonic) is not answered with yes.
    """

    piece: Piece
    deadline: float


class Progress:
    """The events of one batch.

    Args:
        events: The events.
        settings: Limits, and what to do with an event that is refused.
    """

    def __init__(self, events: Events, settings: SplunkHecSettings) -> None:
        self.events = events
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self.causes: dict[str, str] = {}
        self.resent = 0
        self.waiting: dict[Key, Waiting] = {}
        self._settings = settings
        self._todo: deque[Piece] = deque()
        self._begin()

    @property
    def done(self) -> bool:
        """Whether every event is delivered or dropped."""
        return not self._todo and not self.waiting

    @property
    def to_do(self) -> int:
        """How many events are to be sent."""
        return sum(map(len, self._todo))

    def next(self) -> Piece | None:
        """Return what the next request holds, as far as the limits allow; None: nothing is to be sent."""
        if not self._todo:
            return None
        first, settings = self._todo[0], self._settings
        end = self.events.fitting(
            first.start, first.end, settings.max_request_bytes, settings.max_request_events
        )
        if end < first.end:
            self._replace(Piece(first.start, end), Piece(end, first.end))
        return self._todo[0]

    def apply(
        self, answer: Answer, *, key: Key | None = None, deadline: float = 0.0, final: bool = True
    ) -> bool:
        """Take the answer to the request that `next` returned; tell whether to go on at once.

        Args:
            answer: What the collector said.
            key: By which what was taken is acknowledged; None: it is not.
            deadline: When it is sent again otherwise.
            final: Whether a refused token, or a 404, drops the events.
        """
        piece, fate = self._todo[0], answer.fate
        if fate is Fate.TAKEN:
            self._replace()
            self._take(piece, key, deadline)
        elif fate is Fate.EVENT:
            self._event_at_fault(piece, answer, key, deadline)
        elif fate is Fate.TOO_LARGE:
            self._halve(piece, answer)
        elif fate in _DROPS_ALL and (final or fate is Fate.REFUSED):
            self._replace()
            self._drop(answer.reason, len(piece), answer.cause)
        else:
            if fate is Fate.BUSY and answer.position is not None:
                cut = piece.start + answer.position
                self._replace(Piece(cut, piece.end))
                self._take(Piece(piece.start, cut), key, deadline)
            if answer.uncertain:
                self.uncertain(len(piece))
            return False
        return True

    def uncertain(self, events: int) -> None:
        """So many events may have arrived and are sent again all the same."""
        self.resent += events

    def acknowledge(self, key: Key) -> None:
        """Indexers have written what this key stands for."""
        self.delivered += len(self.waiting.pop(key).piece)

    def send_again(self, key: Key) -> None:
        """No acknowledgement will come."""
        piece = self.waiting.pop(key).piece
        self.uncertain(len(piece))
        # Last: the first piece may be on its way.
        self._todo.append(piece)

    def report(self) -> tuple[int, Counter[str]]:
        """Return what was decided since the last report, and begin to count anew."""
        said = self.delivered, self.dropped
        self.delivered, self.dropped = 0, Counter()
        return said

    def _begin(self) -> None:
        """Everything is to be sent, but for events that no collector takes."""
        start, limit = 0, self._settings.max_event_bytes
        for number in self.events.oversized(limit):
            self._add(Piece(start, number))
            start, size = number + 1, self.events.size(number)
            self._drop(EVENT_TOO_LARGE, 1, f"an event has {size} bytes, {limit} are sent at most")
        self._add(Piece(start, len(self.events)))

    def _add(self, piece: Piece) -> None:
        if len(piece):
            self._todo.append(piece)

    def _replace(self, *pieces: Piece) -> None:
        """Put others in place of the first piece."""
        self._todo.popleft()
        self._todo.extendleft(piece for piece in reversed(pieces) if len(piece))

    def _take(self, piece: Piece, key: Key | None, deadline: float) -> None:
        if not len(piece):
            return
        if key is None:
            self.delivered += len(piece)
        else:
            self.waiting[key] = Waiting(piece, deadline)

    def _drop(self, reason: str, events: int, cause: str) -> None:
        self.dropped[reason] += events
        self.causes[reason] = cause

    def _event_at_fault(self, piece: Piece, answer: Answer, key: Key | None, deadline: float) -> None:
        position = 0 if len(piece) == 1 else answer.position
        if position is None:
            # Nobody knows which one, nor what was taken.
            self.uncertain(len(piece))
            self._halve(piece, answer)
            return
        at_fault = piece.start + position
        if self._mended(at_fault, answer.code):
            self._replace(Piece(at_fault, piece.end))
        else:
            self._replace(Piece(at_fault + 1, piece.end))
            self._drop(answer.reason, 1, answer.cause)
        self._take(Piece(piece.start, at_fault), key, deadline)

    def _mended(self, number: int, code: int | None) -> bool:
        if code == INDEXED_FIELDS:
            return self.events.flatten(number)
        if code == INCORRECT_INDEX and self._settings.incorrect_index == "without_index":
            return self.events.without_index(number)
        return False

    def _halve(self, piece: Piece, answer: Answer) -> None:
        if len(piece) == 1:
            self._replace()
            self._drop(answer.reason, 1, answer.cause)
            return
        middle = (piece.start + piece.end) // 2
        self._replace(Piece(piece.start, middle), Piece(middle, piece.end))
