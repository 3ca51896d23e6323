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
from fapilog.operations import error_type_of
from fapilog.values import valid_text

# Longer pauses are cut by the retry settings anyway.
_LONGEST_MILLIS = 2**53
_KIND_CHARACTERS = 100
# semconv: of a failure without a name, and of records that were left out without a reason.
OTHER = "_OTHER"
REJECTED = "rejected"


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
        error_type: For metrics; empty: nothing was wrong.
    """

    delivered: int = 0
    rejected: int = 0
    retry: bool = False
    retry_after_millis: int | None = None
    failed: bool = False
    code: str = ""
    cause: str = ""
    error_type: str = ""


def judge(called: Called, left: int, *, retries_itself: bool = False) -> Verdict:
    """Decide about the `left` records of a call.

    Args:
        called: How the call ended.
        left: Records of the batch that are not decided yet.
        retries_itself: The exporter is one of OpenTelemetry's: nothing is tried again.

    Example:
        >>> judge(Called(error=ConnectionRefusedError("refused")), 5)
        Verdict(delivered=0, rejected=0, retry=True, retry_after_millis=None, failed=True, \
code='endpoint-unreachable', cause='ConnectionRefusedError: refused', error_type='ConnectionRefusedError')
    """
    if called.timed_out:
        cause = f"no answer after {called.seconds:.1f} s"
        return _failed(left, "export-timeout", cause, "timeout", retries_itself)
    if called.error is not None:
        return _raised(called.error, left)
    if isinstance(called.value, ExportOutcome):
        return _returned(called.value, left, retries_itself)
    cause = f"export_batch() returned {type(called.value).__name__}, not an ExportOutcome"
    return _failed(left, "exporter-failed", cause, OTHER, final=True)


def _failed(  # noqa: PLR0913, PLR0917 - one verdict, by name
    left: int, code: str, cause: str, error_type: str, final: bool, after_millis: int | None = None
) -> Verdict:
    rejected = left if final else 0
    return Verdict(0, rejected, not final, after_millis, True, code, cause, error_type)


def _raised(error: BaseException, left: int) -> Verdict:
    cause, kind = shown_error(error), error_type_of(error)
    if isinstance(error, ExportError):
        return _failed(left, error.code, error.what, kind, not error.retryable, error.retry_after_millis)
    if isinstance(error, OSError):
        code = "export-timeout" if isinstance(error, TimeoutError) else "endpoint-unreachable"
        return _failed(left, code, cause, kind, final=False)
    return _failed(left, "exporter-failed", cause, kind, final=True)


def _returned(outcome: ExportOutcome, left: int, retries_itself: bool) -> Verdict:
    delivered, rejected = _counted(outcome.delivered, left), 0
    rejected = _counted(outcome.rejected, left - delivered)
    rest = left - delivered - rejected
    if outcome.retry:
        after = outcome.retry_after_millis
        after = _millis(after)
        code = "endpoint-unreachable" if rest else "export-rejected" if rejected else ""
        kind = _kind(outcome, OTHER if rest else REJECTED if rejected else "")
        return Verdict(delivered, rejected, bool(rest), after, bool(rest), code, _text(outcome.cause), kind)
    claimed = outcome.delivered, outcome.rejected
    if claimed != (delivered, rejected) or rest:
        cause = f"export_batch() accounted for {sum(map(_number, claimed))} of {left} records"
        code = "exporter-failed"
        return Verdict(
            delivered, rejected + rest, failed=not delivered, code=code, cause=cause, error_type=OTHER
        )
    failed = retries_itself and not delivered
    return Verdict(
        delivered,
        rejected,
        failed=failed,
        code="export-rejected" if rejected else "",
        cause=_text(outcome.cause),
        error_type=_kind(outcome, REJECTED if rejected else ""),
    )


def _millis(after: object) -> int | None:
    if not isinstance(after, (int, float)) or (isinstance(after, float) and not math.isfinite(after)):
        return None
    return int(min(max(after, 0), _LONGEST_MILLIS))


def _kind(outcome: ExportOutcome, unless_given: str) -> str:
    """What the exporter says, bounded: each is a time series."""
    return _text(outcome.error_type or unless_given)[:_KIND_CHARACTERS] if unless_given else ""


def _text(cause: object) -> str:
    return cause if type(cause) is str else valid_text(cause)


def _counted(claimed: object, at_most: int) -> int:
    return max(0, min(_number(claimed), at_most))


def _number(claimed: object) -> int:
    return claimed if isinstance(claimed, int) and abs(claimed) < 2**63 else 0
