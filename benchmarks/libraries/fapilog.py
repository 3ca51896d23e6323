"""fapilog over its public face: `configure_otel`, `get_logger`, `Telemetry`.

Everything that the benchmarks know about fapilog is in this file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from benchmarks.call_loops import Loop, Stream, emit_loop, emit_stream
from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario

FLUSH_TIMEOUT_MILLIS = 60_000


class Fapilog(Library):
    """Default redaction, gzip, OTLP/HTTP; `wait` on overflow, so that the ledger must show no loss."""

    name = "fapilog"
    distribution = "fapilog"
    imports = "fapilog"
    otlp = True

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:  # noqa: ARG002
        """Configure through the environment, as a service does. `hold` changes nothing: sending is native."""
        defaults = {
            "FAPILOG_EXPORTERS": "otlp",
            "FAPILOG_LEVEL": "info",
            "FAPILOG_OVERFLOW": "wait",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint or "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        }
        for key, value in defaults.items():
            os.environ.setdefault(key, value)
        import fapilog

        self._telemetry = fapilog.configure_otel(service_name="benchmark")
        self._log = fapilog.get_logger("shop")

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method, of a bound logger when the scenario binds."""
        log = self._log.bind(**scenario.bound) if scenario.bound else self._log
        return getattr(log, scenario.level)

    def flush(self) -> bool:
        """Wait for the acknowledgement of everything accepted."""
        return bool(self._telemetry.force_flush(FLUSH_TIMEOUT_MILLIS))

    def ledger(self) -> dict[str, int]:
        """Flatten the ledger into the counts that the benchmarks check."""
        ledger = self._telemetry.ledger()
        exporter = ledger.exporters["otlp"]
        return {
            "offered": ledger.offered,
            "accepted": ledger.accepted,
            "delivered": exporter.delivered,
            "rejected": exporter.rejected,
            "dropped": sum(exporter.dropped.values()),
            "pending": exporter.pending,
        }

    def delivered(self) -> int:
        """Return the acknowledged records."""
        return self.ledger()["delivered"]

    def close(self) -> None:
        """Shut the pipeline down."""
        self._telemetry.shutdown(FLUSH_TIMEOUT_MILLIS)


class FapilogBridge(Fapilog):
    """`logging` calls that fapilog's bridge takes: what existing code pays."""

    name = "fapilog stdlib bridge"
    style = "extra"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Configure, and log through a standard logger."""
        super().prepare(endpoint, hold=hold)
        # As `stdlib null` has it; else `logging.lastResort` formats and prints the records of errors.
        logging.getLogger().addHandler(logging.NullHandler())
        self._stdlib = logging.getLogger("shop")
        self._stdlib.setLevel(logging.INFO)

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method of `logging`; bound attributes go into `extra`."""
        return getattr(self._stdlib, scenario.level)


class FapilogEmit(Fapilog):
    """`Logger.emit` of the OpenTelemetry logs API through our provider: the same calls as stock's."""

    name = "fapilog api emit"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Configure, and get the logger where instrumented libraries get theirs."""
        super().prepare(endpoint, hold=hold)
        from opentelemetry._logs import get_logger

        self._api = get_logger("shop")

    def call(self, scenario: Scenario) -> Loop | None:
        """Return the emit loop, below the level too: unlike stock's, our provider has one."""
        from opentelemetry._logs import SeverityNumber

        severity = SeverityNumber.DEBUG if scenario.level == "debug" else SeverityNumber.INFO
        return emit_loop(self._api.emit, severity, scenario)

    def stream(self) -> Stream:
        """Return the emit stream."""
        from opentelemetry._logs import SeverityNumber

        return emit_stream(self._api.emit, SeverityNumber.INFO)


class FapilogStructlog(Fapilog):
    """structlog that ends in our processor, in the place of a renderer."""

    name = "fapilog structlog bridge"
    imports = "structlog"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Configure the chain of a production service."""
        super().prepare(endpoint, hold=hold)
        import structlog

        from fapilog.bridges.structlog import FapilogProcessor

        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                FapilogProcessor(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
        )
        self._structlog = structlog.get_logger("shop")

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method; `bind()` also resolves the lazy proxy, as structlog advises."""
        return getattr(self._structlog.bind(**scenario.bound), scenario.level)


class FapilogLoguru(Fapilog):
    """loguru with our sink alone."""

    name = "fapilog loguru bridge"
    imports = "loguru"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Replace the default sink."""
        super().prepare(endpoint, hold=hold)
        from loguru import logger

        from fapilog.bridges.loguru import install

        logger.remove()
        install(logger, level="INFO")
        self._loguru = logger

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method."""
        log = self._loguru.bind(**scenario.bound) if scenario.bound else self._loguru
        return getattr(log, scenario.level)
