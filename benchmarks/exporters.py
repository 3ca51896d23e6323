"""What exporters to Splunk, Elasticsearch and Kafka encode on one core and deliver, beside their peers.

Encode: the sealed bytes of a request of 1,024 records, each with six attributes, a span and a resource of
six, become documents, natively. The baseline, orjson, starts later: from dictionaries that somebody
decoded and shaped already; the row of decoding says what that costs before.

Delivered: from the log call until a server that takes everything has it. Every way runs in a process of
its own, in rounds that visit all ways in turn; the best round counts. The server is one native process
for all; it unpacks what it gets, counts the records, and answers as Splunk or Elasticsearch do. The clock
stops when it has them all, so what a library loses shows. Kafka's broker is librdkafka's mock in a
process of its own, and counts messages. fapilog logs, redacts, encodes and sends; the clients of
Elasticsearch, OpenSearch and Kafka get documents that are ready; handlers format a line. In brackets:
multiples of the fastest client or handler in Python, and of the one that uses least CPU.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from benchmarks.measure import Goal, Row, best, missing
from benchmarks.options import Options
from benchmarks.scenarios import FIVE, MESSAGE
from fapilog import LogBatch
from fapilog.batch import Shape

RECORDS = 1_024
ENCODE = "Encode, one core"
RATE = "records per second"
GOAL = Goal(at_least=1_000_000)
# The shapes that exporters use first have the goal; ECS takes names apart and puts them in order.
SHAPES: tuple[tuple[Shape, dict[str, Any], Goal | None], ...] = (
    ("hec", {}, GOAL),
    ("otel", {}, GOAL),
    ("otel", {"bulk": True}, GOAL),
    ("ecs", {}, None),
    ("raw", {}, None),
    ("bodymap", {}, None),
    ("ss4o", {}, None),
    ("flat", {}, None),
)
RESOURCE = {
    "service.name": "checkout",
    "service.version": "2.1.0",
    "service.instance.id": "6f1b0e6e-8f4c-4b9e-9d9b-2d6d6f5a7c11",
    "host.name": "web-3",
    "deployment.environment.name": "prod",
    "telemetry.sdk.language": "python",
}


def run(options: Options) -> list[Row]:
    """Return the rows of encoding and of delivering."""
    from benchmarks import delivered

    return encoding(options) + delivered.run(options)


def encoding(options: Options) -> list[Row]:
    """Return the rows of encoding."""
    rounds = options.pick(40, 5)
    plain, maps = request(is_map=False), request(is_map=True)
    rows = []
    for shape, extra, goal in SHAPES:
        batch = LogBatch(maps if shape == "bodymap" else plain)

        def encode(batch: LogBatch = batch, shape: Shape = shape, extra: dict[str, Any] = extra) -> object:
            return batch.documents(shape, **extra)

        size = len(batch.documents(shape, **extra).bytes) / RECORDS
        name = f"fapilog, {shape}{' with action lines' if extra else ''}"
        note = f"{size:.0f} bytes per record"
        rows.append(row(name, encode, rounds, goal, note))
    return rows + baselines(plain, rounds)


def row(name: str, work: Callable[[], object], rounds: int, goal: Goal | None, note: str) -> Row:
    """Time what turns one request into bytes; CPU of this thread, the least of all rounds."""
    kept: list[object] = [None]
    rate = RECORDS / best(seconds(work, kept) for _ in range(rounds))
    return Row(name, RATE, rate, "/s", goal=goal, note=note, better="higher", group=ENCODE)


def seconds(work: Callable[[], object], kept: list[object]) -> float:
    """Time one round; the last result lives until the next one is there, so memory is used again."""
    start = time.thread_time()
    kept[0] = work()
    return time.thread_time() - start


def baselines(raw: bytes, rounds: int) -> list[Row]:
    """Return the rows of those who write JSON from dictionaries, and of making the dictionaries."""
    made = [json.loads(line) for line in LogBatch(raw).encode("hec").splitlines()]
    rows = []
    for name in ("orjson", "json"):
        try:
            dumps = import_module(name).dumps
        except ImportError:
            rows += missing([name], RATE, "/s", "not installed", group=ENCODE)
            continue

        def write(dumps: Callable[[Any], Any] = dumps) -> object:
            return [dumps(event) for event in made]

        note = "from dictionaries that are HEC events already"
        rows.append(row(f"{name}, hec", write, rounds, None, note))
    decoding = row("fapilog, records as Python objects", lambda: list(LogBatch(raw)), rounds, None, "")
    return [*rows, decoding]


def request(*, is_map: bool) -> bytes:
    """Return a request of records that differ, with text or with maps for bodies."""
    made = ExportLogsServiceRequest()
    logs = made.resource_logs.add()
    fill(logs.resource.attributes, RESOURCE.items())
    scope = logs.scope_logs.add()
    scope.scope.name, scope.scope.version = "shop", "1.2"
    for number in range(RECORDS):
        record = scope.log_records.add(severity_number=9, severity_text="INFO", flags=1)
        record.time_unix_nano = 1_795_219_200_000_000_000 + number * 1_001
        record.observed_time_unix_nano = record.time_unix_nano + 1_500
        record.trace_id = (number + 1).to_bytes(16, "big")
        record.span_id = (number + 1).to_bytes(8, "big")
        uid = f"01KB9Z6M7Q0000000000{number:06d}"
        attributes = {**FIVE, "user_id": number, "log.record.uid": uid}
        if is_map:
            values = record.body.kvlist_value.values
            fill(values, {"message": MESSAGE, "@timestamp": "2026-11-21T00:00:00Z", **attributes}.items())
        else:
            record.body.string_value = f"{MESSAGE} {number}"
            fill(record.attributes, attributes.items())
    return made.SerializeToString()


def fill(entries: Any, values: Iterable[tuple[str, Any]]) -> None:
    """Add attributes to a repeated `KeyValue` field."""
    for key, value in values:
        entry = entries.add(key=key).value
        if isinstance(value, str):
            entry.string_value = value
        elif isinstance(value, int):
            entry.int_value = value
        else:
            entry.double_value = value


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
