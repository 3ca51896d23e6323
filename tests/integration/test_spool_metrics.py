"""Metrics of the spool say what is on disk, for how long, and what was taken over."""

from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog.self_observability import observe
from fapilog.settings import Settings
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.spools import BUFFER, OTLP

RECORDS = 40
SPOOL = "fapilog.spool."


def collected(reader: InMemoryMetricReader) -> dict[str, Any]:
    """The value of each metric of the spool; they have one point here."""
    data: Any = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data is not None else []
    return {
        metric.name.removeprefix(SPOOL): metric.data.data_points[0].value
        for metric in metrics
        if metric.name.startswith(SPOOL)
    }


def observed(**settings: Any) -> tuple[fapilog.LoggerProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = fapilog.LoggerProvider(settings=Settings.load(environ={}, **settings))
    observe(provider, MeterProvider([reader]))
    return provider, reader


def test_the_metrics_follow_records_to_the_disk_and_to_the_next_process(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    otlp = {**OTLP, "endpoint": receiver.logs_endpoint}
    settings = {"buffer": {**BUFFER, "shutdown_timeout_millis": 100}, "otlp": otlp}
    settings["spool"] = {"directory": tmp_path, "limit_bytes": 1 << 26}
    receiver.refuse_connections()
    provider, reader = observed(**settings)
    for number in range(RECORDS):
        provider.get_logger("orders").emit(body=str(number))
    provider.outlet.finish(100)
    found = collected(reader)
    assert found.pop("usage") > 0
    assert found.pop("blocks") > 0
    assert 0 <= found.pop("age") < 600
    assert found == {"limit": 1 << 26, "records": RECORDS, "disk_errors": 0, "adopted": 0, "damaged": 0}
    provider.shutdown()
    receiver.accept_again()
    other, reader = observed(**settings)
    other.get_logger("orders").emit(body="40")
    wait_until(lambda: receiver.log_record_count == RECORDS + 1)
    assert other.force_flush(10_000)
    wait_until(lambda: collected(reader)["blocks"] == 0)
    found = collected(reader)
    assert (found["adopted"], found["records"], found["disk_errors"]) == (RECORDS, 0, 0)
    other.shutdown()


def test_damage_in_what_an_ended_process_left_is_counted(receiver: OtlpReceiver, tmp_path: Path) -> None:
    otlp = {**OTLP, "endpoint": receiver.logs_endpoint}
    settings = {"buffer": {**BUFFER, "shutdown_timeout_millis": 100}, "otlp": otlp}
    settings["spool"] = {"directory": tmp_path}
    receiver.refuse_connections()
    provider, _ = observed(**settings)
    provider.get_logger("orders").emit(body="lost")
    provider.shutdown()
    segment = next(tmp_path.rglob("seg-*"))
    content = bytearray(segment.read_bytes())
    at = content.index(b"FSPB")
    content[at : at + 64] = bytes(64)
    segment.write_bytes(content)
    receiver.accept_again()
    other, reader = observed(**settings)
    other.get_logger("orders").emit(body="new")
    wait_until(lambda: collected(reader)["damaged"] == 1)
    other.shutdown()


def test_without_a_spool_there_are_no_metrics_of_it() -> None:
    provider, reader = observed(exporters=["none"])
    provider.get_logger("orders").emit(body="kept nowhere")
    assert collected(reader) == {}
    provider.shutdown()
