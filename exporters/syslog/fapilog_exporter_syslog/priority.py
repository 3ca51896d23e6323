"""PRI: facility and severity of a message (RFC 5424, 6.2.1) from severity number and category of a record.

Pure functions. Threads: a worker encodes.
"""

from __future__ import annotations

from typing import Literal

FACILITIES = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    "ntp": 12,
    "audit": 13,
    "alert": 14,
    "clock": 15,
    **{f"local{number}": 16 + number for number in range(8)},
}
"""Numbers by name: those of RFC 5424, table 1, as syslog.conf calls them."""

_EMERGENCY, _ALERT, _CRITICAL, _ERROR, _WARNING, _NOTICE, _INFORMATIONAL, _DEBUG = range(8)
# RFC 3164, 4.3.3: a message without a priority is a notice.
_UNSPECIFIED = _NOTICE
_BELOW_ERROR = (_UNSPECIFIED, *[_DEBUG] * 8, _INFORMATIONAL, *[_NOTICE] * 3, *[_WARNING] * 4)
_TABLES = {
    # As `logging.handlers.SysLogHandler`: an emergency is "system is unusable", and rsyslog writes it to
    # every terminal, which the failure of one application is not.
    "application": (*_BELOW_ERROR, *[_ERROR] * 4, *[_CRITICAL] * 4),
    # The inverse of the table in OpenTelemetry's logs data model, appendix B.
    "opentelemetry": (*_BELOW_ERROR, _ERROR, _CRITICAL, _ALERT, _ALERT, *[_EMERGENCY] * 4),
}


def severity(number: int, table: Literal["application", "opentelemetry"] = "application") -> int:
    """Return syslog's severity for a severity number of OpenTelemetry; 0 is unspecified.

    Example:
        >>> severity(9), severity(17), severity(21), severity(21, "opentelemetry"), severity(0)
        (6, 3, 2, 0, 5)
    """
    known = _TABLES[table]
    return known[number] if 0 <= number < len(known) else _UNSPECIFIED


def priority(facility: str, number: int, table: Literal["application", "opentelemetry"]) -> int:
    """Return PRIVAL: eight times the facility, plus the severity.

    Example:
        >>> priority("local4", 10, "application")
        165
    """
    return FACILITIES[facility] * 8 + severity(number, table)
