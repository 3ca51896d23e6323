"""In the real Collector, the logs and the server span of every request of a mixed load join by trace id."""

import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fastapi_load import RECORDS, trace_of
from tests.integration.fastapi_serving import (
    ACCESS,
    Answers,
    Server,
    asked,
    assert_all_arrived_once,
    assert_each_has_its_own_ids,
    of_requests,
    start_load,
)
from tests.servers.collector import Collector
from tests.servers.ports import free_ports

REQUESTS = 180
# OTLP: SPAN_KIND_SERVER.
SERVER_SPAN = 2


@pytest.mark.parametrize("setup", ["call", pytest.param("none", marks=pytest.mark.long)])
def test_logs_and_spans_of_every_request_join_by_trace_id(
    setup: str, collector: Collector, tmp_path: Path
) -> None:
    [port] = free_ports(1)
    command = "uvicorn loaded:app --port PORT --no-access-log"
    with Server(
        command, port, collector, tmp_path / "written", zero_code=setup == "none", SETUP=setup
    ) as server:
        server.wait_until_it_serves()
        load = start_load(port, "--requests", str(REQUESTS))
        told, _ = load.communicate(timeout=100)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)
    answers = Answers.of(told.splitlines()[-1])
    ids = [each for kind in answers.answered.values() for each in kind]
    assert set(answers.answered) == set(RECORDS)
    records = of_requests(
        collector.wait_for_log_records(sum(len(RECORDS[kind]) + 1 for kind in _kinds(answers)), 30)
    )
    assert_each_has_its_own_ids(records)
    assert_all_arrived_once(records, answers)
    spans: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in collector.wait_for_spans(len(ids), 30):
        spans[span["traceId"]].append(span)
    for request_id in ids:
        of_request = spans[trace_of(request_id)]
        [server_span] = [span for span in of_request if span["kind"] == SERVER_SPAN]
        assert server_span["parentSpanId"] == "ab" * 8
        own = [record for record in records if asked(record) == request_id]
        # OpenTelemetry's instrumentation has spans of its own for background tasks.
        assert {record.span_id for record in own} <= {span["spanId"] for span in of_request}
        [access] = [record for record in own if record.event_name in ACCESS]
        assert access.span_id == server_span["spanId"]


def _kinds(answers: Answers) -> list[str]:
    return [kind for kind, ids in answers.answered.items() for _ in ids]
