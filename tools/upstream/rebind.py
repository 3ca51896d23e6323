"""A pytest plugin: our classes where upstream's tests expect upstream's, before the tests are imported.

The suite's name comes in `FAPILOG_UPSTREAM_SUITE`. What upstream's tests need beyond public names stands
here, not in fapilog.
"""

from __future__ import annotations

import os
from typing import Any


def pytest_configure() -> None:
    """Rebind for the suite that runs."""
    _SUITES[os.environ["FAPILOG_UPSTREAM_SUITE"]]()


def _provider() -> type:
    import fapilog

    class LoggerProvider(fapilog.LoggerProvider):
        """Ours without exporters: upstream's provider has none before a processor is added."""

        def __init__(self, resource: Any = None, **options: Any) -> None:
            super().__init__(resource, exporters=["none"], **options)

    return LoggerProvider


def _rebind_provider() -> None:
    import opentelemetry.sdk._logs as sdk

    sdk.LoggerProvider = _provider()


def _rebind_batch() -> None:
    import opentelemetry.sdk._logs._internal.export as internal
    import opentelemetry.sdk._logs.export as public

    import fapilog

    public.BatchLogRecordProcessor = internal.BatchLogRecordProcessor = fapilog.FapilogLogRecordProcessor


def _rebind_encoder() -> None:
    import opentelemetry.exporter.otlp.proto.common._log_encoder as encoder
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    import fapilog

    provider = fapilog.LoggerProvider(exporters=["none"])

    def encode_logs(batch: Any) -> Any:
        encoded = fapilog.LogBatch.from_records(batch, provider.pipeline).otlp_bytes()
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
