"""The id that joins the records of one request: accepted, checked, or made. Thread: caller.

Whatever a caller sends is checked before anything else sees it: it goes into records, into a response header
and into requests to other services.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from fapilog.asgi import new_correlation_id
from fapilog_instrumentation_fastapi.policy import Policy

# Visible ASCII without what separates: no spaces, quotes, commas, semicolons, equals signs (baggage,
# cookies), angle brackets, backslashes or percent signs.
_VALID = re.compile(rb"[A-Za-z0-9!#$&'*+\-./:@^_`|~?(){}\[\]]{1,128}")
# W3C Trace Context, 3.2: version 00 has exactly these fields; later versions may have more behind a dash.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16


def valid(value: bytes) -> str | None:
    """Return the id in a header's value; None when it may not go into a record.

    Allowed are 1 to 128 visible ASCII characters without separators: no space, comma, semicolon, equals
    sign, quote, percent sign, angle bracket or backslash. Spaces around it are the header's, not the id's.
    Whether redaction would hide it, `Correlator` asks.

    Example:
        >>> valid(b" order-42 "), valid(b"order 42"), valid(b"<b>"), valid(b"")
        ('order-42', None, None, None)
    """
    value = value.strip(b" \t")
    return value.decode("ascii") if _VALID.fullmatch(value) else None


def trace_id_of(value: bytes) -> str | None:
    """Return the trace id of a `traceparent` header, 32 hex digits; None when the header is not valid.

    Example:
        >>> trace_id_of(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        '0af7651916cd43dd8448eb211c80319c'
    """
    found = _TRACEPARENT.fullmatch(value.strip(b" \t"))
    if found is None:
        return None
    version, trace, span, rest = found.groups()
    if trace == _NO_TRACE or span == _NO_SPAN or (rest and version == b"00"):
        return None
    return trace.decode("ascii")


class Correlator:
    """Chooses the id of a request among what its headers say, or makes one.

    Args:
        headers: Names to ask, in order.
        accept: Whether what callers send is used.
        traceparent: Whether the trace id of `traceparent` is used when no header has an id.
        shows: Tells whether records show a text as it is; default: by the policy of the process. An id of a
            caller that they do not show, such as a card number, is none: it would be hidden in records, and
            leave in headers.

    Attributes:
        wanted: The headers to look for, in lower case; `choose` takes their values in this order.

    Example:
        >>> Correlator(["X-Request-ID"], True, True).choose([b"r-1", None])
        'r-1'
    """

    __slots__ = ("_readers", "_shows", "wanted")

    def __init__(
        self,
        headers: Iterable[str],
        accept: bool,
        traceparent: bool,
        shows: Callable[[str], bool] | None = None,
    ) -> None:
        names = dict.fromkeys(name.lower().encode("ascii") for name in headers) if accept else {}
        if accept and traceparent:
            names.setdefault(b"traceparent", None)
        self.wanted = tuple(names)
        self._shows = Policy().shows if shows is None else shows
        self._readers = tuple(
            (place, trace_id_of if name == b"traceparent" else self._valid)
            for place, name in enumerate(self.wanted)
        )

    def _valid(self, value: bytes) -> str | None:
        found = valid(value)
        return found if found is not None and self._shows(found) else None

    def choose(self, values: Sequence[bytes | None]) -> str:
        """Return the first valid id, or a new one; more values than wanted headers may follow."""
        for place, reader in self._readers:
            value = values[place]
            if value is not None and (found := reader(value)) is not None:
                return found
        return new_correlation_id()
