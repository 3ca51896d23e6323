"""One object of a batch: a pure function to its name, its content and its headers. Thread: of the request.

The name holds the time of the first record and a digest of the content, so the same batch always has the same
name: an object that is sent twice is there once.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fapilog import LogBatch

from object_storage.settings import ObjectStorageSettings

# A quote within a JSON text stands behind a backslash, so this is a member and no part of a text.
_UNIX_NANOS = re.compile(rb'[{,]"(?:t|observedT)imeUnixNano":"(\d+)"')
_ISO = re.compile(rb'\{"@timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z"')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTENT_TYPES = {"otlp_json": "application/json", "flat": "application/x-ndjson"}
_SUFFIXES = {"otlp_json": "json", "flat": "ndjson"}


@dataclass(frozen=True)
class StoredObject:
    """What is stored for one batch.

    Attributes:
        key: Its name in the bucket.
        body: Its content.
        content_type: Of the content before compression.
        content_encoding: `gzip` or empty.
    """

    key: str
    body: bytes
    content_type: str
    content_encoding: str = ""


def make_object(batch: LogBatch, settings: ObjectStorageSettings) -> StoredObject:
    """Make the object of a batch.

    Example:
        >>> from fapilog.testing.samples import sample_batch
        >>> made = make_object(sample_batch(3), ObjectStorageSettings(bucket="b", folder="eu"))
        >>> made.key.rpartition("_")[0]
        'eu/year=2023/month=11/day=14/hour=22/minute=13/logs_1700000000123456789'
    """
    content = batch.encode(settings.form)
    nanos = first_unix_nanos(content)
    # Whole seconds: a float would round the nanoseconds up, now and then into the next minute.
    folders = (_EPOCH + timedelta(seconds=nanos // 10**9)).strftime(settings.partition)
    digest = hashlib.sha256(content).hexdigest()[:32]
    suffix = _SUFFIXES[settings.form]
    packed = settings.compression == "gzip"
    name = f"logs_{nanos}_{digest}.{suffix}{'.gz' if packed else ''}"
    return StoredObject(
        "/".join(part for part in (settings.folder, folders, name) if part),
        gzip.compress(content, 6, mtime=0) if packed else content,
        _CONTENT_TYPES[settings.form],
        "gzip" if packed else "",
    )


def first_unix_nanos(content: bytes) -> int:
    """Return the time of the first record in the content of an object; 0: it has none.

    Example:
        >>> first_unix_nanos(b'{"logRecords":[{"timeUnixNano":"1700000000123456789"}]}')
        1700000000123456789
        >>> first_unix_nanos(b'{"@timestamp":"2023-11-14T22:13:20.000000002Z"}')
        1700000000000000002
    """
    if iso := _ISO.match(content):
        moment = datetime.strptime(iso[1].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        return int((moment - _EPOCH).total_seconds()) * 10**9 + int(iso[2])
    found = _UNIX_NANOS.search(content)
    return int(found[1]) if found else 0
