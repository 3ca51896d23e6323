"""What the end of a call means for the records, as one table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.calls import Called
from fapilog.delivery.outcomes import Verdict, judge
from fapilog.errors import ExportError
from fapilog.exporters.base import ExportOutcome

KIND = "fapilog.errors.ExportError"
BUSY = ExportError("endpoint-unreachable", "busy", retryable=True, retry_after_millis=500)


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (Called(ExportOutcome(delivered=5)), Verdict(5)),
        (
            Called(ExportOutcome(delivered=3, rejected=2, cause="too long")),
            Verdict(3, 2, code="export-rejected", cause="too long", error_type="rejected"),
        ),
        (
            Called(ExportOutcome(rejected=5, cause="no")),
            Verdict(0, 5, code="export-rejected", cause="no", error_type="rejected"),
        ),
        (
            Called(ExportOutcome(rejected=5, error_type="400" * 99)),
            Verdict(0, 5, code="export-rejected", error_type=("400" * 99)[:100]),
        ),
        (
            Called(ExportOutcome(delivered=1, retry=True, retry_after_millis=9, cause="503")),
            Verdict(1, 0, True, 9, True, "endpoint-unreachable", "503", "_OTHER"),
        ),
        (Called(ExportOutcome(delivered=5, retry=True)), Verdict(5)),
        (
            Called(error=BUSY),
            Verdict(
                retry=True, retry_after_millis=500, failed=True, code=BUSY.code, cause="busy", error_type=KIND
            ),
        ),
        (
            Called(error=OSError("no route")),
            Verdict(0, 0, True, None, True, "endpoint-unreachable", "OSError: no route", "OSError"),
        ),
        (
            Called(error=ZeroDivisionError("1/0")),
            Verdict(
                0,
                5,
                failed=True,
                code="exporter-failed",
                cause="ZeroDivisionError: 1/0",
                error_type="ZeroDivisionError",
            ),
        ),
        (
            Called(timed_out=True, seconds=30.0),
            Verdict(0, 0, True, None, True, "export-timeout", "no answer after 30.0 s", "timeout"),
        ),
        (
            Called(ExportOutcome()),
            Verdict(
                0,
                5,
                failed=True,
                code="exporter-failed",
                cause="export_batch() accounted for 0 of 5 records",
                error_type="_OTHER",
            ),
        ),
        (
            Called(None),
            Verdict(
                0,
                5,
                failed=True,
                code="exporter-failed",
                cause="export_batch() returned NoneType, not an ExportOutcome",
                error_type="_OTHER",
            ),
        ),
    ],
)
def test_the_end_of_a_call_decides_about_five_records(called: Called, expected: Verdict):
    assert judge(called, 5) == expected


def test_of_an_opentelemetry_exporter_a_slow_call_and_a_refusal_are_final_and_count_for_the_breaker():
    slow = judge(Called(timed_out=True, seconds=30.0), 5, retries_itself=True)
    refused = judge(Called(ExportOutcome(rejected=5, cause="FAILURE")), 5, retries_itself=True)
    assert slow == Verdict(0, 5, False, None, True, "export-timeout", "no answer after 30.0 s", "timeout")
    assert refused == Verdict(0, 5, False, None, True, "export-rejected", "FAILURE", "rejected")


numbers = st.integers(-3, 30) | st.none() | st.text(max_size=2) | st.floats(allow_nan=True)


@given(delivered=numbers, rejected=numbers, retry=st.booleans(), left=st.integers(1, 20))
def test_no_outcome_decides_more_than_there_is_or_leaves_records_in_between(
    delivered: object, rejected: object, retry: bool, left: int
):
    verdict = judge(Called(ExportOutcome(delivered, rejected, retry)), left)  # type: ignore[arg-type]
    decided = verdict.delivered + verdict.rejected
    assert 0 <= decided <= left
    assert verdict.retry == (decided < left)
