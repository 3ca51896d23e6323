"""Records that receivers refuse are kept in a file that can be sent again."""

import json
import stat
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.testing import Ok, OtlpReceiver, Status
from tests.servers.collector import Collector

TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
SPAN = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, is_remote=True, trace_flags=TraceFlags(1)))


def provider_of(path: Path, *exporters: Any, **settings: Any) -> LoggerProvider:
    delivery = {"dead_letters": path, **settings.pop("delivery", {})}
    loaded = Settings.load(environ={}, delivery=delivery, level="trace", **settings)
    return LoggerProvider(settings=loaded, exporters=exporters)


def log(provider: LoggerProvider, *bodies: str) -> None:
    for body in bodies:
        provider.get_logger("shop").emit(body=body)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def bodies(document: dict[str, Any]) -> list[str]:
    scopes = [scope for resource in document["resourceLogs"] for scope in resource["scopeLogs"]]
    return [record["body"]["stringValue"] for scope in scopes for record in scope["logRecords"]]


class Refusing:
    """Refuses all but the first record."""

    name = "refusing"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        return ExportOutcome(delivered=1, rejected=len(batch) - 1, cause="not today", error_type="schema")


def test_a_refused_request_is_kept_with_its_reason_and_can_be_sent_again_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "letters" / "dead.jsonl"
    with OtlpReceiver() as receiver:
        receiver.answer_with(Status(400))
        provider = provider_of(path, "otlp", otlp={"endpoint": receiver.logs_endpoint})
        before = time.time_ns()
        log(provider, "one", "two")
        provider.shutdown()
        (document,) = lines(path)
        about = document["fapilog"]
        assert before <= int(about.pop("timeUnixNano")) <= time.time_ns()
        assert about == {
            "exporter": "otlp",
            "status": 400,
            "errorType": "400",
            "reason": "HTTP 400 Bad Request: scripted 400",
            "rejected": 2,
            "records": 2,
        }
        assert bodies(document) == ["one", "two"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

        for line in path.read_bytes().splitlines():
            headers = {"content-type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(receiver.logs_endpoint, line, headers)).close()
        assert [record.body for record in receiver.log_records] == ["one", "two"]
    side = provider.ledger().exporters["otlp"]
    assert (side.rejected, side.pending) == (2, 0)


@pytest.mark.parametrize("way", ["posted line by line", "read by its otlpjsonfile receiver"])
def test_what_the_real_collector_refused_it_takes_from_the_file_when_the_cause_is_gone(
    collector_binary: Path, collector: Collector, tmp_path: Path, way: str
) -> None:
    dead = tmp_path / "dead.jsonl"
    limit = {"receivers": {"otlp": {"protocols": {"http": {"max_request_body_size": 300}}}}}
    with Collector(collector_binary, tmp_path, extra=limit) as strict:
        provider = provider_of(dead, "otlp", otlp={"endpoint": strict.logs_endpoint})
        context = trace.set_span_in_context(SPAN)
        attributes = {"raw": b"\x00\xff", "n": 2**62}
        provider.get_logger("shop", "1.2").emit(
            body={"größe": [1, 2.5, None]}, attributes=attributes, context=context
        )
        provider.shutdown()
        assert strict.lines() == []
    side = provider.ledger().exporters["otlp"]
    assert (side.delivered, side.rejected, side.pending) == (0, 1, 0)

    # Both as the documentation says.
    if way == "posted line by line":
        for line in dead.read_bytes().splitlines():
            assert b'"fapilog":{' in line
            headers = {"content-type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(collector.logs_endpoint, line, headers)).close()
        (record,) = collector.wait_for_log_records(1, timeout_seconds=30)
    else:
        file = {"include": [str(dead)], "start_at": "beginning", "include_file_name": False}
        extra = {
            "receivers": {"otlpjsonfile": file | {"poll_interval": "20ms"}},
            "service": {"pipelines": {"logs": {"receivers": ["otlpjsonfile"]}}},
        }
        with Collector(collector_binary, tmp_path, extra=extra) as reading:
            (record,) = reading.wait_for_log_records(1, timeout_seconds=30)
    assert record.attributes == attributes | {"fapilog.sequence": 0}
    assert (record.body, record.scope_name, record.scope_version, record.trace_id, record.span_id) == (
        {"größe": [1, 2.5, None]},
        "shop",
        "1.2",
        f"{TRACE_ID:032x}",
        f"{SPAN_ID:016x}",
    )
    assert record.resource == dict(provider.resource.attributes)


def test_of_a_partial_success_the_whole_request_is_kept_and_how_many_were_refused(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    with OtlpReceiver() as receiver:
        receiver.answer_with(Ok(1, "one of them is bad"))
        provider = provider_of(path, "otlp", otlp={"endpoint": receiver.logs_endpoint})
        log(provider, "one", "two")
        provider.shutdown()
    (document,) = lines(path)
    about = document["fapilog"]
    assert (about["rejected"], about["records"], about["reason"]) == (1, 2, "one of them is bad")
    assert bodies(document) == ["one", "two"]


def test_records_that_an_exporter_in_python_rejects_are_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    provider = provider_of(path, Refusing())
    log(provider, "one", "two", "three")
    provider.shutdown()
    (document,) = lines(path)
    about = document["fapilog"]
    assert (about["exporter"], about["rejected"], about["errorType"]) == ("refusing", 2, "schema")
    assert about["reason"] == "not today"
    assert provider.outlet.stats()["dead_letters"] == {"kept": 2, "lost": 0}


def test_the_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    limits = {"dead_letters_bytes": 2_000, "dead_letters_files": 1}
    provider = provider_of(path, Refusing(), delivery=limits)
    for number in range(30):
        log(provider, str(number), "x" * 500)
        assert provider.force_flush(30_000)
    provider.shutdown()
    sizes = [each.stat().st_size for each in tmp_path.glob("dead*")]
    assert len(sizes) <= 2
    assert sum(sizes) <= 2 * 4_000


def test_a_file_that_cannot_be_written_is_said_once_and_delivery_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "letters" / "dead.jsonl"
    provider = provider_of(path, Refusing())
    log(provider, "one", "two")
    assert provider.force_flush(30_000)
    # A folder in its place cannot be written, whoever tries.
    path.unlink()
    path.mkdir()
    for _ in range(3):
        log(provider, "three", "four")
        assert provider.force_flush(30_000)
    provider.shutdown()
    side = provider.ledger().exporters["refusing"]
    assert (side.delivered, side.rejected, side.pending) == (4, 4, 0)
    assert provider.outlet.stats()["dead_letters"] == {"kept": 1, "lost": 3}
    said = [line for line in capfd.readouterr().err.splitlines() if "cannot be kept" in line]
    assert len(said) == 1


def test_without_the_setting_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = Settings.load(environ={})
    with LoggerProvider(settings=loaded, exporters=[Refusing()]) as provider:
        log(provider, "one", "two")
    assert list(tmp_path.iterdir()) == []
    assert provider.outlet.stats()["dead_letters"] == {"kept": 0, "lost": 0}
