"""Splunk events read by an independent parser, and our collector driven by an independent client.

The Collector's receiver `splunk_hec` reads what our exporter sends, with its extension for acknowledgements;
the Collector's exporter `splunk_hec` sends to the conformance server of our tests.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.testing.samples import sample_batch
from fapilog_exporter_splunk import SplunkHecExporter
from tests.servers.collector import Collector
from tests.servers.hec import TOKEN, Fault, HecServer
from tests.servers.ports import free_ports

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def receiving(port: int, *, ack: bool) -> dict[str, Any]:
    """Configuration: a receiver for HEC beside the one for OTLP."""
    receiver: dict[str, Any] = {"endpoint": f"127.0.0.1:{port}"}
    extensions: dict[str, Any] = {}
    if ack:
        receiver["ack"] = {"extension": "ack"}
        extensions = {"extensions": {"ack": {}}, "service": {"extensions": ["ack"]}}
    configuration = {"receivers": {"splunk_hec": receiver}, **extensions}
    service = configuration.setdefault("service", {})
    service["pipelines"] = {"logs": {"receivers": ["splunk_hec"]}}
    return configuration


@pytest.fixture
def start(collector_binary: Path, tmp_path: Path):
    running: list[Collector] = []

    def started(extra: dict[str, Any]) -> Collector:
        collector = Collector(collector_binary, tmp_path, extra=extra)
        collector.start()
        running.append(collector)
        return collector

    yield started
    for collector in running:
        collector.stop()


Start = Callable[[dict[str, Any]], Collector]


@pytest.mark.parametrize("ack", [False, True])
def test_the_collectors_receiver_reads_every_event(start: Start, ack: bool) -> None:
    (port,) = free_ports(1)
    collector = start(receiving(port, ack=ack))
    exporter = SplunkHecExporter(
        url=f"http://127.0.0.1:{port}", token=TOKEN, source="app", index="main", ack=ack, ack_poll_millis=20
    )
    settings = fapilog.Settings.load(environ={}, delivery={"retry": {"initial_backoff_millis": 1}})
    with fapilog.LoggerProvider(settings=settings, exporters=[exporter]) as provider:
        for number in range(300):
            attributes = {"number": number, "tags": ["a", "b"], "deep": {"er": 1}}
            provider.get_logger("orders").emit(body=f"record {number}", attributes=attributes)
        assert provider.force_flush(30_000), str(provider.ledger())
        records = collector.wait_for_records(300, 30.0)
        assert provider.ledger().exporters["splunk_hec"].delivered == 300
    assert Counter(record["body"]["stringValue"] for record in records) == Counter(
        f"record {number}" for number in range(300)
    )
    first = next(record for record in records if record["body"]["stringValue"] == "record 7")
    attributes = {each["key"]: next(iter(each["value"].values())) for each in first["attributes"]}
    assert (float(attributes["number"]), float(attributes["deep.er"])) == (7.0, 1.0)
    resource = {each["key"]: each["value"]["stringValue"] for each in first["resource"]["attributes"]}
    assert (resource["com.splunk.source"], resource["com.splunk.index"]) == ("app", "main")


async def test_the_collectors_receiver_takes_records_of_every_shape_and_raw_lines(start: Start) -> None:
    (port,) = free_ports(1)
    collector = start(receiving(port, ack=False))
    for endpoint in ("event", "raw"):
        exporter = SplunkHecExporter(url=f"http://127.0.0.1:{port}", token=TOKEN, endpoint=endpoint)
        assert (await exporter.check_health())[0] == 200
        collector.forget_records()
        outcome = await exporter.export_batch(sample_batch(30))
        assert outcome == fapilog.ExportOutcome(delivered=30), outcome
        assert len(collector.wait_for_records(30)) == 30


def test_our_collector_takes_what_the_collectors_exporter_sends(start: Start) -> None:
    """So it is not true to our client alone: the golden documents arrive, without a violation."""
    requests = json.loads((GOLDEN / "otlp_requests.json").read_text())
    expected = json.loads((GOLDEN / "splunk_hec.json").read_text())
    with HecServer() as server:
        # It answers a part of the first request only, as a busy collector does: the client sends it again.
        server.hec.faults.append(Fault(take=0))
        exporter = {
            "endpoint": f"{server.url}/services/collector",
            "token": TOKEN,
            "sending_queue": {"enabled": False},
            "retry_on_failure": {
                "initial_interval": "10ms",
                "max_interval": "50ms",
                "randomization_factor": 0,
            },
        }
        extra = {
            "exporters": {"splunk_hec": exporter},
            "service": {"pipelines": {"logs": {"exporters": ["splunk_hec"]}}},
        }
        collector = start(extra)
        for request in requests.values():
            _post(collector, request)
        wanted = [event for events in expected.values() for event in events]
        server.wait_until(lambda hec: len(hec.events) >= len(wanted))
        assert _sorted(server.hec.events) == _sorted(wanted)
        assert server.hec.violations == []
        assert {request.headers["authorization"] for request in server.hec.requests} == {f"Splunk {TOKEN}"}


def _post(collector: Collector, request: dict[str, Any]) -> None:
    from fapilog.exporters.http import HttpClient

    body = json.dumps(request).encode()
    status, _, said = HttpClient(timeout_millis=30_000).post(
        collector.logs_endpoint, [("content-type", "application/json")], body
    )
    assert status == 200, said


def _sorted(events: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(event, sort_keys=True) for event in events)
