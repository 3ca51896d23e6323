"""A pytest plugin: our classes where upstream's tests expect upstream's, before the tests are imported.

The suite's name comes in `UPSTREAM_SUITE`. What upstream's tests need beyond public names stands
here, not in fapilog.
"""

from __future__ import annotations

import os
from typing import Any


def pytest_configure() -> None:
    """Rebind for the suite that runs."""
    _SUITES[os.environ["UPSTREAM_SUITE"]]()


def _provider() -> type:
    import fapilog
    from fapilog.otel.logger import OtelLogger

    class LoggerProvider(fapilog.LoggerProvider):
        """Ours without exporters: upstream's provider has none before a processor is added."""

        def __init__(self, resource: Any = None, **options: Any) -> None:
            # Upstream records the location only on request, ours from WARN on.
            settings = fapilog.Settings(capture_location="never")
            super().__init__(resource, settings=settings, exporters=["none"], **options)

    # What the tests look at besides public names.
    OtelLogger._instrumentation_scope = property(lambda logger: logger.instrumentation_scope)
    return LoggerProvider


def _rebind_provider() -> None:
    import opentelemetry.sdk._logs as sdk

    sdk.LoggerProvider = _provider()


def _rebind_batch() -> None:
    import opentelemetry.sdk._logs._internal.export as internal
    import opentelemetry.sdk._logs.export as public

    import fapilog

    class Worker:
        """What upstream's tests reach through the private `_batch_processor`."""

        def __init__(self, processor: Any) -> None:
            self._processor = processor

        def emit(self, record: Any) -> None:
            self._processor.on_emit(record)

        def shutdown(self, timeout_millis: int = 30_000) -> None:
            self._processor.shutdown(timeout_millis)

        @property
        def _shutdown(self) -> bool:
            return self._processor._shut_down

    class BatchLogRecordProcessor(fapilog.FapilogLogRecordProcessor):
        """Ours, with that door."""

        @property
        def _batch_processor(self) -> Worker:
            return Worker(self)

    public.BatchLogRecordProcessor = internal.BatchLogRecordProcessor = BatchLogRecordProcessor


def _rebind_encoder() -> None:
    import opentelemetry.exporter.otlp.proto.common._log_encoder as encoder
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    import fapilog
    from fapilog.batch import LogBatch

    provider = fapilog.LoggerProvider(exporters=["none"])

    def encode_logs(batch: Any) -> Any:
        encoded = LogBatch.from_records(batch, provider.pipeline).otlp_bytes()
        return ExportLogsServiceRequest.FromString(encoded)

    encoder.encode_logs = encode_logs


def _rebind_bridge() -> None:
    import opentelemetry.sdk._logs as sdk
    from opentelemetry.instrumentation.logging import handler

    from fapilog.bridges.stdlib import FapilogHandler

    provider_class = _provider()
    sdk.LoggerProvider = provider_class

    class LoggingHandler(FapilogHandler):
        """Ours, made as upstream's is: from a provider."""

        def __init__(self, level: int = 0, logger_provider: Any = None, **_options: Any) -> None:
            provider = logger_provider if isinstance(logger_provider, provider_class) else provider_class()
            super().__init__(provider.handle, level)

    handler.LoggingHandler = LoggingHandler


_SUITES = {
    "provider": _rebind_provider,
    "batch": _rebind_batch,
    "encoder": _rebind_encoder,
    "bridge": _rebind_bridge,
}
