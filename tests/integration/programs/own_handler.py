"""Handles SIGTERM itself, before or after it configures fapilog; ends with status 5."""

import signal
import sys
from types import FrameType

from waiting import wait_for_a_signal

import fapilog


def on_sigterm(number: int, frame: FrameType | None) -> None:
    fapilog.get_logger("orders").info("handled by the application")
    sys.exit(5)


if sys.argv[1] == "before":
    signal.signal(signal.SIGTERM, on_sigterm)
fapilog.configure_otel(buffer={"schedule_delay_millis": 60_000})
if sys.argv[1] == "after":
    signal.signal(signal.SIGTERM, on_sigterm)
assert signal.getsignal(signal.SIGTERM) is on_sigterm
wait_for_a_signal()
