"""Which successes are written: a share of them, the same ones in every service of a trace. Thread: caller."""

from __future__ import annotations

from fapilog_instrumentation_fastapi import chance

# W3C Trace Context level 2: the last 56 bits of a trace id are random.
_RANDOM_BITS = (1 << 56) - 1


class Sampler:
    """Keeps a share of the successes; errors and slow requests never come here.

    Args:
        ratio: 0 to 1.

    Example:
        >>> Sampler(1.0).keeps(0), Sampler(0.0).keeps(12)
        (True, False)
    """

    __slots__ = ("_bound", "_ratio", "keeps_all")

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        # As OpenTelemetry's consistent probability sampling counts: a trace whose random bits are at least
        # this is kept, so that a smaller share is a part of a larger one.
        self._bound = round((1 - ratio) * (_RANDOM_BITS + 1))
        self.keeps_all = ratio >= 1

    def keeps(self, trace_id: int) -> bool:
        """Tell whether a success is written; without a trace (0) chance decides."""
        if not trace_id:
            return chance.numbers.random() < self._ratio
        return (trace_id & _RANDOM_BITS) >= self._bound
