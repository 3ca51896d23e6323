"""The shapes `hec`, `otel` and `ecs`, as destinations read them, for `fapilog validate`."""

from __future__ import annotations

import math
import re
from typing import Any

from fapilog.cli.shape_checks import (
    Check,
    Problem,
    Problems,
    an_object,
    anything,
    count,
    escaped,
    every,
    fields,
    kind,
    pattern,
    severity,
    shortened,
    some,
    span_id,
    text,
    trace_id,
    whole,
)

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
_FORBIDDEN = r"""\\/*?"<>| ,#:A-Z"""
iso_time = pattern(_ISO, "a time such as 2026-11-21T00:00:00.000000000Z")
otel_time = pattern(
    rf"\d+(\.\d{{1,6}})?|{_ISO}",
    "milliseconds with up to six decimals in a string, such as 1795219200000.001500, or an ISO time",
)
dataset = pattern(
    rf"[^{_FORBIDDEN}-]{{1,100}}", "1 to 100 characters, lower case, without - and what index names forbid"
)
namespace = pattern(
    rf"[^{_FORBIDDEN}]{{1,100}}", "1 to 100 characters, lower case, without what index names forbid"
)
stream_type = pattern("logs|metrics|traces", "logs, metrics or traces")

_NUMBER = re.compile(r"\d+(\.\d+)?")


def hec(document: Any, path: str) -> Problems:
    """An event of Splunk's HTTP Event Collector."""
    yield from _hec(document, path)


def _hec_time(value: Any, path: str) -> Problems:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            yield Problem(path, f"must be seconds since 1970, not {shortened(value)}")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        yield Problem(path, f"must be seconds since 1970, not {kind(value)}")
    elif not math.isfinite(value) or not 0 <= value < 1e11:
        yield Problem(path, f"must be seconds since 1970, not {value}")


def _hec_event(value: Any, path: str) -> Problems:
    if value is None:
        yield Problem(path, "must not be null (Splunk answers code 12)")
    elif value == "":
        yield Problem(path, "must not be empty (Splunk answers code 13)")


def _hec_fields(value: Any, path: str) -> Problems:
    if not isinstance(value, dict):
        yield Problem(path, f"must be an object, not {kind(value)}")
        return
    for name, member in value.items():
        members = member if isinstance(member, list) else [member]
        for each in members:
            if each is None or isinstance(each, dict | list):
                place = f"{path}/{escaped(name)}"
                yield Problem(
                    place, f"must be a string, number or boolean, not {kind(each)} (Splunk answers code 15)"
                )
                break


_hec = fields(
    {
        "time": _hec_time,
        "host": text,
        "source": text,
        "sourcetype": text,
        "index": text,
        "event": _hec_event,
        "fields": _hec_fields,
    },
    required=("event",),
)


def otel(document: Any, path: str) -> Problems:
    """A document of Elastic's `otel` mode."""
    yield from _otel(document, path)


def _otel_dataset(value: Any, path: str) -> Problems:
    yield from dataset(value, path)
    if isinstance(value, str) and not value.endswith(".otel"):
        yield Problem(path, "must end with .otel, or the index template for this shape does not apply")


def _structured(value: Any, path: str) -> Problems:
    if isinstance(value, list):
        yield from every(an_object)(value, path)
    else:
        yield from an_object(value, path)


def _scalar(value: Any, path: str) -> Problems:
    if isinstance(value, dict | list):
        yield Problem(path, f"must be a single value, not {kind(value)}; others are body.structured")


_source: dict[str, Check] = {"schema_url": text, "attributes": an_object, "dropped_attributes_count": count}
_otel = fields(
    {
        "@timestamp": otel_time,
        "observed_timestamp": otel_time,
        "data_stream": fields(
            {"type": stream_type, "dataset": _otel_dataset, "namespace": namespace},
            required=("type", "dataset", "namespace"),
        ),
        "severity_text": text,
        "severity_number": severity,
        "trace_id": trace_id,
        "span_id": span_id,
        "attributes": an_object,
        "dropped_attributes_count": count,
        "event_name": text,
        "resource": fields(_source),
        "scope": fields({**_source, "name": text, "version": text}),
        "body": fields({"text": _scalar, "structured": _structured}),
    },
    required=("@timestamp",),
)


def ecs(document: Any, path: str) -> Problems:
    """A document of Elastic Common Schema."""
    yield from _ecs(document, path)
    yield from _names(document, path)
    if isinstance(document, dict) and "@timestamp" not in document:
        yield Problem(f"{path}/@timestamp", "is missing: a data stream refuses the document")


def _names(value: Any, path: str) -> Problems:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _names(each, f"{path}/{number}")
    elif isinstance(value, dict):
        for name, member in value.items():
            place = f"{path}/{escaped(name)}"
            if not name.strip():
                yield Problem(place, "has no name")
            elif "." in name:
                yield Problem(place, "has a dot in its name: write it as an object in an object")
            yield from _names(member, place)


_ecs = some(
    {
        "@timestamp": iso_time,
        "message": text,
        "log": some({"level": text}),
        "event": some({"severity": whole(0, 2**63 - 1), "action": text}),
        "trace": some({"id": trace_id}),
        "span": some({"id": span_id}),
        "error": some({"message": text, "type": text, "stacktrace": text, "stack_trace": text}),
        "service": some({"name": text, "version": text, "environment": text, "node": some({"name": text})}),
        "host": some({"name": text, "hostname": text, "os": an_object}),
        "data_stream": some({"type": stream_type, "dataset": dataset, "namespace": namespace}),
        "kubernetes": an_object,
        "process": an_object,
        "user": an_object,
        "labels": an_object,
        "tags": anything,
    }
)
