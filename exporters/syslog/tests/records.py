"""Batches made by hand, and exporters that are called as delivery calls them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from fapilog import ExportOutcome, LogBatch
from fapilog_exporter_syslog import SyslogExporter, SyslogSettings
from fapilog_exporter_syslog.messages import Encoder, Messages
from tests.servers.rfc5424 import Message, parse, split

TIME = 1_795_219_200_123_456_789


def any_value(value: Any) -> AnyValue:
    """An OTLP value."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))
    return AnyValue() if value is None else AnyValue(string_value=value)


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def batch_of(
    *records: Mapping[str, Any], resource: Mapping[str, Any] | None = None, scope: tuple[str, str] = ("", "")
) -> LogBatch:
    """A batch; of each record `body` and `attributes` are values, the rest are OTLP's fields."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(key_values(resource or {}))
    logs = group.scope_logs.add()
    logs.scope.name, logs.scope.version = scope
    for given in records:
        said = dict(given)
        record = logs.log_records.add()
        if "body" in said:
            record.body.CopyFrom(any_value(said.pop("body")))
        record.attributes.extend(key_values(said.pop("attributes", {})))
        for name, value in said.items():
            setattr(record, name, value)
    return LogBatch(request.SerializeToString())


def numbered(count: int, first: int = 0, padding: int = 0) -> LogBatch:
    """So many records, told apart by the attribute `number`."""
    return batch_of(
        *(
            {
                "time_unix_nano": TIME,
                "severity_number": 9,
                "body": f"record {number}{'.' * padding}",
                "attributes": {"number": number},
            }
            for number in range(first, first + count)
        )
    )


def settings(**given: Any) -> SyslogSettings:
    """Settings of an exporter that nobody calls."""
    return SyslogSettings(**{"endpoint": "tls://syslog.example", **given})


def encoded(batch: LogBatch, **given: Any) -> Messages:
    """What a batch becomes."""
    return Encoder(settings(**given)).encode(batch)


def read(batch: LogBatch, **given: Any) -> list[Message]:
    """What a strict reader makes of a batch."""
    messages, rest = split(b"".join(encoded(batch, **given).frames))
    assert rest == b""
    return [parse(each) for each in messages]


def quick(endpoint: str, **given: Any) -> SyslogExporter:
    """An exporter that waits shortly."""
    return SyslogExporter(
        **{"endpoint": endpoint, "settle_millis": 40, "timeout_millis": 20_000, "certificate": None, **given}
    )


async def settle(exporter: SyslogExporter, batch: LogBatch, at_most: int = 60) -> ExportOutcome:
    """As delivery does: again and again while there is something left; the sum of the outcomes."""
    delivered = rejected = 0
    for _ in range(at_most):
        outcome = await exporter.export_batch(batch)
        delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
        if not outcome.retry:
            break
        assert delivered + rejected < len(batch)
        await asyncio.sleep(0.002)
    return ExportOutcome(delivered, rejected, outcome.retry, None, outcome.cause, outcome.error_type)


def numbers(messages: Iterable[Message]) -> Counter[int]:
    """How often each number arrived."""
    return Counter(int(message.element("attributes")["number"]) for message in messages)
