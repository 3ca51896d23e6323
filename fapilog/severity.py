"""Severity numbers 1-24 of OpenTelemetry, and the tables to and from every other scale."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import IntEnum
from types import MappingProxyType


class Severity(IntEnum):
    """SeverityNumber of the OpenTelemetry logs data model; comparisons use the number.

    Example:
        >>> Severity.from_stdlib(30), Severity.WARN.text, Severity.WARN >= Severity.INFO
        (<Severity.WARN: 13>, 'WARN', True)
    """

    TRACE = 1
    TRACE2 = 2
    TRACE3 = 3
    TRACE4 = 4
    DEBUG = 5
    DEBUG2 = 6
    DEBUG3 = 7
    DEBUG4 = 8
    INFO = 9
    INFO2 = 10
    INFO3 = 11
    INFO4 = 12
    WARN = 13
    WARN2 = 14
    WARN3 = 15
    WARN4 = 16
    ERROR = 17
    ERROR2 = 18
    ERROR3 = 19
    ERROR4 = 20
    FATAL = 21
    FATAL2 = 22
    FATAL3 = 23
    FATAL4 = 24

    @property
    def text(self) -> str:
        """Short name of the data model: `TRACE`, `TRACE2`, ..., `WARN`, ..., `FATAL4`."""
        return self.name

    @classmethod
    def from_stdlib(cls, levelno: int) -> Severity:
        """Map a level number of `logging`; any integer has an answer, and none is unspecified.

        From 10 to 53 this is the SDK's own mapping, so that dashboards do not shift, with two improvements:
        numbers below 10 are TRACE to TRACE4 (the SDK says unspecified), and exactly 25 (loguru's SUCCESS,
        often NOTICE) is INFO2, as the data model's appendix maps syslog's Notice.

        Args:
            levelno: Level number, usually 10, 20, 30, 40 or 50.
        """
        if levelno < 0:
            return cls.TRACE
        return _FROM_STDLIB[min(levelno, len(_FROM_STDLIB) - 1)]

    def to_stdlib(self) -> int:
        """Map to a level number of `logging`: the smallest one that comes back as this severity.

        The numbers grow with the severity, so a threshold keeps its meaning on both sides.
        """
        return _TO_STDLIB[self - 1]

    @classmethod
    def from_level_name(cls, name: str) -> Severity:
        """Map a level name, in any case, of `logging`, loguru, syslog, fapilog or the data model.

        Args:
            name: Such as `info`, `WARNING`, `warn`, `critical`, `notice`, `DEBUG2`.

        Raises:
            ValueError: The name is unknown; the message names the close ones.
        """
        severity = LEVEL_NAMES.get(name.strip().lower())
        if severity is None:
            close = get_close_matches(name.strip().lower(), LEVEL_NAMES, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"unknown level {name!r}{hint} (trace debug info warning error critical)")
        return severity

    @classmethod
    def from_ten(cls, severity: int) -> Severity:
        """Map the 1-10 scale of `LogEvent`.

        Raises:
            ValueError: The number is not in 1-10.
        """
        if not 1 <= severity <= 10:
            raise ValueError(f"severity {severity} is not in 1-10")
        return _FROM_TEN[severity - 1]

    def to_ten(self) -> int:
        """Map to the 1-10 scale of `LogEvent`: the largest step not above this severity, and 1 for TRACE."""
        return _TO_TEN[self - 1]


_S = Severity

# Index: level number of `logging`, 0-54. Source: `std_to_otel` of the OpenTelemetry SDK for 10-53 except 25.
_FROM_STDLIB: tuple[Severity, ...] = (
    # 0-9: TRACE is 5 by custom; below it there is nothing smaller, above it the steps follow one by one.
    *(_S.TRACE, _S.TRACE, _S.TRACE, _S.TRACE, _S.TRACE, _S.TRACE, _S.TRACE2, _S.TRACE3, _S.TRACE4, _S.TRACE4),
    *(_S.DEBUG, _S.DEBUG2, _S.DEBUG3, *[_S.DEBUG4] * 7),
    *(_S.INFO, _S.INFO2, _S.INFO3, _S.INFO4, _S.INFO4, _S.INFO2, *[_S.INFO4] * 4),
    *(_S.WARN, _S.WARN2, _S.WARN3, *[_S.WARN4] * 7),
    *(_S.ERROR, _S.ERROR2, _S.ERROR3, *[_S.ERROR4] * 7),
    *(_S.FATAL, _S.FATAL2, _S.FATAL3, _S.FATAL4),
)

# Index: severity number 1-24, minus one.
_TO_STDLIB: tuple[int, ...] = (
    *(5, 6, 7, 8, 10, 11, 12, 13, 20, 21, 22, 23),
    *(30, 31, 32, 33, 40, 41, 42, 43, 50, 51, 52, 53),
)

# Index: severity 1-10 of a `LogEvent`, minus one.
_FROM_TEN: tuple[Severity, ...] = (
    *(_S.TRACE2, _S.DEBUG, _S.INFO, _S.INFO3, _S.WARN),
    *(_S.WARN3, _S.ERROR, _S.ERROR3, _S.FATAL, _S.FATAL4),
)

# Index: severity number 1-24, minus one.
_TO_TEN: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10)

# Names in lower case. The 24 short names of the data model, and what people and libraries write instead.
LEVEL_NAMES: Mapping[str, Severity] = MappingProxyType(
    {
        **{severity.name.lower(): severity for severity in Severity},
        "verbose": _S.TRACE,
        "information": _S.INFO,
        "success": _S.INFO2,
        "notice": _S.INFO2,
        "audit": _S.INFO2,
        "warning": _S.WARN,
        "security": _S.WARN2,
        "err": _S.ERROR,
        "exception": _S.ERROR,
        "critical": _S.FATAL,
        "crit": _S.FATAL,
        "emergency": _S.FATAL4,
    }
)
