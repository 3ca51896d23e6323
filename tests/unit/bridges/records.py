"""Records of `logging` with a fixed time, and what they should become."""

import logging
from typing import Any

from fapilog.bridges import stdlib
from fapilog.testing import ReceivedLogRecord
from tests.unit.recording import Recorder, expected

CREATED = 1_600_000_000.25


def record(**fields: Any) -> logging.LogRecord:
    """Answer a record of `logging`."""
    return logging.makeLogRecord({"name": "shop", "created": CREATED, "levelno": 20} | fields)


def handled(recorder: Recorder, **fields: Any) -> ReceivedLogRecord:
    """Answer what becomes of a record."""
    stdlib.FapilogHandler(recorder.provider.handle).handle(record(**fields))
    return recorder.only


def from_stdlib(number: int, text: str, body: Any, **fields: Any) -> ReceivedLogRecord:
    """Answer the whole record that a record of `logging` should become."""
    return expected(number, text, body, time_unix_nano=1_600_000_000_250_000_000, **fields)
