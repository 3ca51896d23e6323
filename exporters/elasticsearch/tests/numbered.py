"""Batches of records that can be told apart."""

from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

import fapilog


def numbered(count: int, first: int = 0, padding: int = 0) -> fapilog.LogBatch:
    """Records with the attribute `number`, from `first` on, each larger by so many bytes."""
    nowhere = set_span_in_context(INVALID_SPAN, Context())
    resource = Resource({"service.name": "numbered"})
    records = []
    for number in range(first, first + count):
        attributes = {"number": number} | ({"padding": f"{number:x}" * (padding // 4)} if padding else {})
        moment = 1_700_000_000_000_000_000 + number
        record = LogRecord(timestamp=moment, context=nowhere, body="numbered", attributes=attributes)
        records.append(ReadableLogRecord(record, resource))
    with fapilog.LoggerProvider(settings=fapilog.Settings.load(environ={}), exporters=["none"]) as provider:
        return fapilog.LogBatch.from_records(records, provider.pipeline)
