"""Which requests have an access record: sampling and exclusions; errors and slow ones are never left out."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import Exchange, RequestLogging, RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.exclusions import Exclusions
from fapilog_instrumentation_fastapi.sampling import Sampler
from instrumentation.fastapi.tests.calling import Wire, scope


async def ask(status: int = 200, path: str = "/", change: Any = None, **access: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if change is not None:
            change(scope)
        if status == 0:
            raise RuntimeError("no")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wire = Wire()
    served = RequestLoggingMiddleware(app, RequestLogging(access=access))
    await served(scope(path), wire.receive, wire.send)


def count(logs: CapturedLogs) -> int:
    return len(logs.find_all(event_name=HTTP_EVENT))


@given(st.integers(1, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_share_is_a_part_of_a_larger_one(trace_id: int, one: float, other: float):
    small, large = sorted((one, other))
    assert not Sampler(small).keeps(trace_id) or Sampler(large).keeps(trace_id)


def test_the_share_that_is_kept_is_the_share_of_the_settings():
    step = (1 << 56) // 1_000
    assert sum(Sampler(0.25).keeps((7 << 64) | step * number) for number in range(1, 1_000)) == 249
    assert [Sampler(1).keeps(1), Sampler(0).keeps((1 << 128) - 1)] == [True, False]


async def test_no_success_is_written_at_a_share_of_0_and_everything_else_is(fapilog_logs: CapturedLogs):
    await ask(200, sample_ratio=0)
    await ask(304, sample_ratio=0)
    assert count(fapilog_logs) == 0
    await ask(404, sample_ratio=0)
    await ask(404, sample_ratio=0, client_error_severity="info")
    await ask(503, sample_ratio=0)
    with pytest.raises(RuntimeError):
        await ask(0, sample_ratio=0)
    assert count(fapilog_logs) == 4


async def test_a_slow_request_is_written_and_says_so(fapilog_logs: CapturedLogs):
    def long_ago(scope: Any) -> None:
        exchange: Exchange = scope["fapilog.exchange"]
        exchange.started_nanos -= 5_000_000_000

    await ask(200, change=long_ago, sample_ratio=0, slow_seconds=4.5)
    await ask(200, change=long_ago, sample_ratio=0, slow_seconds=None)
    [record] = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert (record.severity_text, record.attributes["fapilog.http.slow"]) == ("INFO", True)


@pytest.mark.parametrize(("bits", "expected"), [(1, 0), ((1 << 56) - 1, 1)])
async def test_the_trace_decides_where_there_is_one(bits: int, expected: int, fapilog_logs: CapturedLogs):
    span = trace.NonRecordingSpan(trace.SpanContext((9 << 64) | bits, 1, is_remote=False))
    token = otel_context.attach(trace.set_span_in_context(span))
    try:
        await ask(200, sample_ratio=0.5)
    finally:
        otel_context.detach(token)
    assert count(fapilog_logs) == expected


@pytest.mark.parametrize(
    "excluding",
    [
        {"exclude_paths": ["/healthz"]},
        {"exclude_paths": ["/heal*"]},
        {"exclude_patterns": ["z$"]},
        {"exclude_routes": ["/{probe}"]},
    ],
)
async def test_an_excluded_request_has_no_record_even_if_it_fails_but_its_records_have_its_id(
    excluding: dict[str, Any], fapilog_logs: CapturedLogs
):
    class Route:
        path_format = "/{probe}"

    def routed(scope: Any) -> None:
        scope["route"] = Route
        assert len(scope["fapilog.exchange"].correlation_id) == 32

    await ask(503, "/healthz", routed, **excluding)
    assert count(fapilog_logs) == 0
    Route.path_format = "/orders"
    await ask(200, "/healthz/more", routed, **({"exclude_paths": ["/healthz"]} | excluding))


def test_a_pattern_takes_linear_time_on_a_path_made_against_it():
    excluded = Exclusions([], [], [r"^/(a+)+$"])
    began = time.process_time()
    assert not excluded.path("/" + "a" * 20_000 + "!")
    assert time.process_time() - began < 5


def test_a_path_cannot_pretend_to_be_excluded():
    excluded = Exclusions([], [], ["^/metrics$"])
    for path in ("/[REDACTED:excluded]", "/x//user:password@host", "/metrics/"):
        assert not excluded.path(path)
    assert excluded.path("/metrics")
