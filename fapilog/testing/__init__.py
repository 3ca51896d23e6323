"""Helpers for tests of applications that log with fapilog, and of fapilog itself."""

from fapilog.testing.answers import (
    Answer,
    CloseWithoutAnswer,
    Exchange,
    Garbage,
    Hold,
    Ok,
    ReceivedRequest,
    ResetMidBody,
    SlowBody,
    Status,
)
from fapilog.testing.decoding import ReceivedLogRecord
from fapilog.testing.receiver import OtlpReceiver

__all__ = [
    "Answer",
    "CloseWithoutAnswer",
    "Exchange",
    "Garbage",
    "Hold",
    "Ok",
    "OtlpReceiver",
    "ReceivedLogRecord",
    "ReceivedRequest",
    "ResetMidBody",
    "SlowBody",
    "Status",
]
