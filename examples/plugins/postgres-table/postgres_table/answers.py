"""What an error of the database means for the rows: pure functions. Threads: delivery loop.

| SQLSTATE | then |
|---|---|
| 22, 23 (data, constraint), what the driver cannot encode | halves are tried; a row alone is rejected |
| 28, 3D, 3F, 42 (login, database, schema, right, table) | the batch again, after `refused_pause_millis` |
| 23514 without a name (no partition) | as these |
| anything else (connection, restart, disk full, deadlock, standby), no answer | the batch again |
"""

from __future__ import annotations

from asyncpg import ClientConfigurationError, InterfaceError, PostgresError
from fapilog import ExportOutcome
from fapilog.exporters.http import shown

_AT_FAULT = ("22", "23")
_REFUSED = ("28", "3D", "3F", "42")
_CHECK_VIOLATION = "23514"
ERRORS = (PostgresError, InterfaceError)


def is_row_at_fault(error: Exception) -> bool:
    """Tell whether other rows may be taken.

    Example:
        >>> from asyncpg import NotNullViolationError, TooManyConnectionsError
        >>> is_row_at_fault(NotNullViolationError("no")), is_row_at_fault(TooManyConnectionsError("no"))
        (True, False)
    """
    if isinstance(error, PostgresError):
        return _state(error).startswith(_AT_FAULT) and not _has_no_partition(error)
    return isinstance(error, ValueError) and not isinstance(error, ClientConfigurationError)


def cause_of(error: Exception) -> str:
    """Return what went wrong, for people: without the detail, which shows rows."""
    said = shown(str(error.args[0]) if error.args else "")
    return f"{_state(error)}: {said}" if isinstance(error, PostgresError) else said


def outcome_of(error: Exception, refused_pause_millis: int) -> ExportOutcome:
    """Return what becomes of a batch of which no row is at fault."""
    refused = isinstance(error, ClientConfigurationError)
    word = type(error).__name__
    if isinstance(error, PostgresError):
        refused, word = _state(error).startswith(_REFUSED) or _has_no_partition(error), _state(error)
    pause = refused_pause_millis if refused else None
    return ExportOutcome(retry=True, retry_after_millis=pause, cause=cause_of(error), error_type=word)


def _state(error: PostgresError) -> str:
    return str(error.sqlstate or "")


def _has_no_partition(error: PostgresError) -> bool:
    """A row whose day has no partition breaks a check that has no name: an administrator makes one."""
    return _state(error) == _CHECK_VIOLATION and not getattr(error, "constraint_name", None)
