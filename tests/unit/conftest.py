"""What unit tests share: a configured process that is always put back."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from fapilog import Telemetry, configure_otel, diagnostics


@pytest.fixture
def configure() -> Iterator[Callable[..., Telemetry]]:
    """`configure_otel`, whose result is shut down at the end; `logging` and the hooks must be as before."""
    made: list[Telemetry] = []
    hooks_before = (sys.excepthook, threading.excepthook, logging.root.level, list(logging.root.handlers))

    def call(*arguments, **settings) -> Telemetry:
        made.append(configure_otel(*arguments, **({"exporters": ["none"]} | settings)))
        return made[-1]

    diagnostics._voice.forget()
    yield call
    for telemetry in reversed(made):
        telemetry.shutdown(1_000)
    hooks_after = (sys.excepthook, threading.excepthook, logging.root.level, list(logging.root.handlers))
    assert hooks_after == hooks_before
    diagnostics._voice.forget()
