"""Records as rows: a pure function. Thread: one for each batch, because it takes time.

Documents come from the native encoder. Their ids are `log.record.uid` where a record has it, else a digest of
the record: a batch that comes again brings the same ids.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from fapilog import LogBatch

# PostgreSQL stores no NUL, in no text. Behind an even number of backslashes this is one.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Row(NamedTuple):
    """One record; the fields are the columns of the table, in its order."""

    time: datetime
    uid: str
    observed_time: datetime
    severity_number: int
    severity_text: str
    body: str
    event_name: str
    trace_id: str
    span_id: str
    service_name: str
    scope: str
    attributes: str
    resource: str


def rows_of(batch: LogBatch) -> list[Row]:
    """Return a row for each record of a batch.

    Example:
        >>> from fapilog.testing.samples import sample_batch
        >>> first, *_ = rows_of(sample_batch(3))
        >>> first.time.isoformat(), first.severity_text, first.service_name
        ('2023-11-14T22:13:20.123456+00:00', 'WARN', 'conformance')
    """
    made = batch.documents("otel", bulk=True, time="iso", index="-", require_data_stream=False)
    lines = without_nul(made.bytes).splitlines()
    return [
        _row(json.loads(action), json.loads(line))
        for action, line in zip(lines[::2], lines[1::2], strict=True)
    ]


def without_nul(json_text: bytes) -> bytes:
    r"""Return JSON with U+FFFD in the place of each NUL.

    Example:
        >>> without_nul(rb'{"a\u0000": "\\u0000 \\\u0000"}')
        b'{"a\\ufffd": "\\\\u0000 \\\\\\ufffd"}'
    """
    return _NUL.sub(rb"\1\\ufffd", json_text) if b"\\u0000" in json_text else json_text


def _row(action: dict[str, Any], document: dict[str, Any]) -> Row:
    resource = document.get("resource", {}).get("attributes", {})
    return Row(
        _moment(document["@timestamp"]),
        action["create"]["_id"],
        _moment(document["observed_timestamp"]),
        document.get("severity_number", 0),
        document.get("severity_text", ""),
        _text(document.get("body", {})),
        document.get("event_name", ""),
        document.get("trace_id", ""),
        document.get("span_id", ""),
        _word(resource.get("service.name", "")),
        document.get("scope", {}).get("name", ""),
        _json(document.get("attributes", {})),
        _json(resource),
    )


def _moment(iso: str) -> datetime:
    """A time in microseconds, which is what PostgreSQL keeps."""
    return datetime.fromisoformat(f"{iso[:26]}+00:00")


def _text(body: dict[str, Any]) -> str:
    """The body, where it is a text; else its JSON."""
    return "".join(_word(value) for value in body.values())


def _word(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
