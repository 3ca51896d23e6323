"""Stage 6 of 7, export: what the end of a call of `export_batch` means for the records. Pure functions.

| the call | the records |
|---|---|
| returned an `ExportOutcome` | as it says; those it leaves out are tried again with `retry`, else rejected |
| raised `OSError` (connection, timeout), `ExportError(retryable=True)` | tried again |
| raised anything else, or returned anything else | rejected: the same batch would meet the same fault |
| was too slow | tried again; of an OpenTelemetry exporter rejected, because retries are its own business |
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fapilog.delivery.calls import Called
from fapilog.diagnostics import shown_error
from fapilog.errors import ExportError
from fapilog.exporters.base import ExportOutcome
from fapilog.values import valid_text

# Longer pauses are cut by the retry settings anyway.
_LONGEST_MILLIS = 2**53


@dataclass(frozen=True)
class Verdict:
    """What one call decides.

    Attributes:
        delivered: Records delivered.
        rejected: Records rejected.
        retry: The others come again.
        retry_after_millis: The pause that the destination asked for.
        failed: The call got nowhere: counts for the breaker.
        code: Code of what is to be said; empty: nothing.
        cause: For people.
    """

    delivered: int = 0
    rejected: int = 0
    retry: bool = False
    retry_after_millis: int | None = None
    failed: bool = False
    code: str = ""
    cause: str = ""


def judge(called: Called, left: int, *, retries_itself: bool = False) -> Verdict:
    """Decide about the `left` records of a call.

    Args:
        called: How the call ended.
        left: Records of the batch that are not decided yet.
        retries_itself: The exporter is one of OpenTelemetry's: nothing is tried again.

    Example:
        >>> judge(Called(error=ConnectionRefusedError("refused")), 5)
        Verdict(delivered=0, rejected=0, retry=True, retry_after_millis=None, failed=True, \
code='endpoint-unreachable', cause='ConnectionRefusedError: refused')
    """
    if called.timed_out:
        return _failed(left, "export-timeout", f"no answer after {called.seconds:.1f} s", retries_itself)
    if called.error is not None:
        return _raised(called.error, left)
    if isinstance(called.value, ExportOutcome):
        return _returned(called.value, left, retries_itself)
    cause = f"export_batch() returned {type(called.value).__name__}, not an ExportOutcome"
    return _failed(left, "exporter-failed", cause, final=True)


def _failed(left: int, code: str, cause: str, final: bool, after_millis: int | None = None) -> Verdict:
    rejected = left if final else 0
    return Verdict(0, rejected, not final, after_millis, failed=True, code=code, cause=cause)


def _raised(error: BaseException, left: int) -> Verdict:
    cause = shown_error(error)
    if isinstance(error, ExportError):
        return _failed(left, error.code, error.what, not error.retryable, error.retry_after_millis)
    if isinstance(error, OSError):
        code = "export-timeout" if isinstance(error, TimeoutError) else "endpoint-unreachable"
        return _failed(left, code, cause, final=False)
    return _failed(left, "exporter-failed", cause, final=True)


def _returned(outcome: ExportOutcome, left: int, retries_itself: bool) -> Verdict:
    delivered, rejected = _counted(outcome.delivered, left), 0
    rejected = _counted(outcome.rejected, left - delivered)
    rest = left - delivered - rejected
    if outcome.retry:
        after = outcome.retry_after_millis
        after = _millis(after)
        code = "endpoint-unreachable" if rest else "export-rejected" if rejected else ""
        return Verdict(delivered, rejected, bool(rest), after, bool(rest), code, _text(outcome.cause))
    claimed = outcome.delivered, outcome.rejected
    if claimed != (delivered, rejected) or rest:
        cause = f"export_batch() accounted for {sum(map(_number, claimed))} of {left} records"
        return Verdict(delivered, rejected + rest, failed=not delivered, code="exporter-failed", cause=cause)
    failed = retries_itself and not delivered
    return Verdict(
        delivered,
        rejected,
        failed=failed,
        code="export-rejected" if rejected else "",
        cause=_text(outcome.cause),
    )


def _millis(after: object) -> int | None:
    if not isinstance(after, (int, float)) or (isinstance(after, float) and not math.isfinite(after)):
        return None
    return int(min(max(after, 0), _LONGEST_MILLIS))


def _text(cause: object) -> str:
    return cause if type(cause) is str else valid_text(cause)


def _counted(claimed: object, at_most: int) -> int:
    return max(0, min(_number(claimed), at_most))


def _number(claimed: object) -> int:
    return claimed if isinstance(claimed, int) and abs(claimed) < 2**63 else 0
