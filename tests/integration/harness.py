"""What the tests of the pipeline share: settings, what they read from ledger and receiver, programs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog import Ledger
from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from fapilog.testing.decoding import decode_log_records
from fapilog.testing.otlp_json import read_message

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
# 2023-11-14, with nanoseconds that a float would lose.
NOW = 1_700_000_000_123_456_789
# An open chunk counts with its whole size, so that chunks of one record must be small ones.
ONE_RECORD_PER_BLOCK = {"max_block_records": 1, "chunk_bytes": 2_048, "record_bytes": 1_024}
# How many records a buffer holds that tests fill.
LIMIT_RECORDS = 10

BASE: Mapping[str, Any] = {
    "exporters": ["otlp"],
    "capture_location": "never",
    "buffer": {"shutdown_timeout_millis": 3_000},
    "otlp": {"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 10}},
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merges nested settings key by key, `changes` winning."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def settings_for(endpoint: str, **overrides: Any) -> dict[str, Any]:
    """Settings that send to `endpoint` with short pauses, and with `overrides` merged in."""
    return merged(merged(BASE, {"otlp": {"endpoint": endpoint}}), overrides)


def counts(ledger: Ledger) -> dict[str, int]:
    """The terms of a ledger that are not zero, refusals and drops under their reasons."""
    side = ledger.exporters["otlp"]
    terms = {
        "offered": ledger.offered,
        "filtered": ledger.filtered,
        **{f"refused.{reason}": count for reason, count in ledger.refused.items()},
        "accepted": ledger.accepted,
        "delivered": side.delivered,
        "rejected": side.rejected,
        **{f"dropped.{reason}": count for reason, count in side.dropped.items()},
        "pending": side.pending,
    }
    return {name: count for name, count in terms.items() if count}


def bodies(receiver: OtlpReceiver) -> list[Any]:
    """The bodies of the application's records that arrived, in the order of their sequence numbers."""
    return [record.body for record in in_order(receiver.log_records) if not is_loss_report(record)]


def loss_reports(receiver: OtlpReceiver) -> list[ReceivedLogRecord]:
    """The records by which the pipeline told what pressure cost, in order."""
    return [record for record in in_order(receiver.log_records) if is_loss_report(record)]


def is_loss_report(record: ReceivedLogRecord) -> bool:
    """Whether a record is the pipeline's own."""
    return (record.scope_name, record.event_name) == ("fapilog", "fapilog.records_lost")


def in_order(records: list[ReceivedLogRecord]) -> list[ReceivedLogRecord]:
    """Records by sequence number."""
    return sorted(records, key=sequence)


def sequence(record: ReceivedLogRecord) -> int:
    """The number that the pipeline gave a record."""
    number: int = record.attributes["fapilog.sequence"]
    return number


def records_in(text: str) -> list[ReceivedLogRecord]:
    """The records in lines of OTLP/JSON, read by protobuf's own classes; every line must be whole."""
    assert text == "" or text.endswith("\n")
    requests = [read_message(line.encode(), ExportLogsServiceRequest) for line in text.splitlines()]
    return [record for request in requests for record in decode_log_records(request)]


def environment(endpoint: str, **variables: str) -> dict[str, str]:
    """The environment of a program under test: no outside settings, and `endpoint` for its logs.

    Its coverage is not measured: that takes half as long again, and other tests run the same lines.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "FAPILOG_", "COVERAGE_")) and not name.lower().endswith("_proxy")
    }
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "FAPILOG_EXPORTERS": "otlp",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        **variables,
    }


def start(name: str, endpoint: str, *arguments: str, flags: tuple[str, ...] = (), **variables: str) -> Any:
    """Starts a program of `programs/`; its standard streams are pipes of text."""
    return subprocess.Popen(
        [sys.executable, *flags, str(PROGRAMS / name), *arguments],
        env=environment(endpoint, **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(name: str, endpoint: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program of `programs/` to its end, within 60 seconds."""
    process = start(name, endpoint, *arguments, **options)
    return finish(process)


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Waits for a program that was started; kills it when it does not end."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
