"""Trace and span ids that count up from one, for tests that compare whole records."""

from __future__ import annotations

from itertools import count

from opentelemetry.sdk.trace.id_generator import IdGenerator


class SequentialIds(IdGenerator):
    """An id generator of the OpenTelemetry SDK whose ids are 1, 2, 3 and so on.

    Trace ids and span ids are counted apart. May be used from any thread.

    Args:
        first: The first id of both kinds; above 0, because ids of zeros are invalid (W3C Trace Context).

    Raises:
        ValueError: If `first` is below 1.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> tracer = TracerProvider(id_generator=SequentialIds(), shutdown_on_exit=False).get_tracer("orders")
        >>> span = tracer.start_span("checkout").get_span_context()
        >>> f"{span.trace_id:032x} {span.span_id:016x}"
        '00000000000000000000000000000001 0000000000000001'
    """

    def __init__(self, first: int = 1) -> None:
        if first < 1:
            raise ValueError(
                f"SequentialIds: first={first}; ids start at 1, because an id of zeros is invalid"
            )
        # next() of a count is one step of the interpreter: no lock needed.
        self._traces, self._spans = count(first), count(first)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._traces) & (2**128 - 1) or 1

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._spans) & (2**64 - 1) or 1
