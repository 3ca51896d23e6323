"""Helpers for tests of applications that log with fapilog, and of fapilog itself.

| name | what a test gets |
|---|---|
| `capture_logs` | the records logged inside a `with` block, as plain values |
| `no_leaks` | a failure when something sensitive leaves the process inside a `with` block |
| `OtlpReceiver` | an OTLP/HTTP receiver on loopback, which can be told to misbehave |
| `ExporterConformance`, `ProcessorConformance` | pytest classes for yours |
| `EnricherConformance`, `DetectorConformance` | the same |
| `measure_plugin` | what one call of a plugin costs |
| `FakeClock`, `SequentialIds` | fixed times and fixed trace and span ids |
| `pytest_plugin` | fixtures: `fapilog_logs`, `fapilog_requests`, `no_leaks`, `otlp_receiver`, ... |

Names are loaded when they are first used: pytest imports this package at its start, wherever fapilog is
installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from fapilog.testing.capture import CapturedLogs, capture_logs
    from fapilog.testing.clock import FakeClock
    from fapilog.testing.decoding import ReceivedLogRecord
    from fapilog.testing.detector_conformance import DetectorConformance
    from fapilog.testing.enricher_conformance import EnricherConformance
    from fapilog.testing.exporter_conformance import ExporterConformance
    from fapilog.testing.ids import SequentialIds
    from fapilog.testing.leaks import Leak, LeakError, NoLeaks, no_leaks
    from fapilog.testing.plugin_benchmark import PluginCost, measure_plugin
    from fapilog.testing.processor_conformance import ProcessorConformance
    from fapilog.testing.receiver import OtlpReceiver

__all__ = [
    "Answer",
    "CapturedLogs",
    "CloseWithoutAnswer",
    "DetectorConformance",
    "EnricherConformance",
    "Exchange",
    "ExporterConformance",
    "FakeClock",
    "Garbage",
    "Hold",
    "Leak",
    "LeakError",
    "NoLeaks",
    "Ok",
    "OtlpReceiver",
    "PluginCost",
    "ProcessorConformance",
    "ReceivedLogRecord",
    "ReceivedRequest",
    "ResetMidBody",
    "SequentialIds",
    "SlowBody",
    "Status",
    "capture_logs",
    "measure_plugin",
    "no_leaks",
]

_HOMES = {
    "CapturedLogs": "capture",
    "DetectorConformance": "detector_conformance",
    "EnricherConformance": "enricher_conformance",
    "ExporterConformance": "exporter_conformance",
    "FakeClock": "clock",
    "Leak": "leaks",
    "LeakError": "leaks",
    "NoLeaks": "leaks",
    "OtlpReceiver": "receiver",
    "PluginCost": "plugin_benchmark",
    "ProcessorConformance": "processor_conformance",
    "ReceivedLogRecord": "decoding",
    "SequentialIds": "ids",
    "capture_logs": "capture",
    "measure_plugin": "plugin_benchmark",
    "no_leaks": "leaks",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fapilog.testing' has no attribute {name!r}")
    value: object = getattr(import_module(f"fapilog.testing.{_HOMES.get(name, 'answers')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
