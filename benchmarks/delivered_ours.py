"""fapilog's exporters and the Collector fed by fapilog, as ways to deliver log records."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import fapilog
from benchmarks.end_to_end import COLLECTOR_ADVICE
from benchmarks.libraries import NotInstalledError
from benchmarks.scenarios import MESSAGE, ROW_COUNT, varied_rows
from benchmarks.servers import collector, collector_binary

Account = dict[str, Any]
Send = Callable[[int], Account]
Start = Callable[[str, ExitStack], Send]

TOKEN = "11111111-2222-3333-4444-555555555555"
PATIENCE_MILLIS = 120_000
COLLECTOR_CONFIG = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  splunk_hec: {{endpoint: "{url}/services/collector", token: "{token}", max_content_length_logs: 1000000}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [splunk_hec]}}
"""


def settings(**given: Any) -> Any:
    """Return settings with room for all records, so that only speed decides."""
    buffer = {"limit_bytes": 512 << 20, "overflow": "wait", "wait_timeout_millis": PATIENCE_MILLIS}
    return fapilog.Settings.load(environ={}, buffer=buffer, **given)


def ours(provider: Any) -> Send:
    """Log, flush, and return what the ledger says."""
    log, rows = provider.logger("orders"), varied_rows()

    def send(count: int) -> Account:
        for number in range(count):
            user_id, path, status, duration_ms, region = rows[number % ROW_COUNT]
            log.info(
                MESSAGE, user_id=user_id, path=path, status=status, duration_ms=duration_ms, region=region
            )
        provider.force_flush(PATIENCE_MILLIS)
        ledger = provider.ledger()
        delivered = min(side.delivered for side in ledger.exporters.values())
        return {"offered": ledger.offered, "delivered": delivered}

    return send


def fapilog_splunk(url: str, _: ExitStack) -> Send:
    """Our exporter for Splunk."""
    from fapilog_exporter_splunk import SplunkHecExporter

    exporter = SplunkHecExporter(url=url, token=TOKEN)
    return ours(fapilog.LoggerProvider(settings=settings(), exporters=[exporter]))


def fapilog_elasticsearch(shape: str) -> Start:
    """Our exporter for Elasticsearch, in one shape."""

    def start(url: str, _: ExitStack) -> Send:
        from fapilog_exporter_elasticsearch import ElasticsearchExporter

        exporter = ElasticsearchExporter(urls=[url], shape=shape)
        return ours(fapilog.LoggerProvider(settings=settings(), exporters=[exporter]))

    return start


def collector_splunk(url: str, stack: ExitStack) -> Send:
    """The Collector between, fed by ours over OTLP; it is what is measured."""
    binary = collector_binary()
    if binary is None:
        raise NotInstalledError(f"skipped: no Collector; {COLLECTOR_ADVICE}")
    configuration = COLLECTOR_CONFIG.replace("{url}", url).replace("{token}", TOKEN)
    server = stack.enter_context(collector(binary, configuration))
    otlp = {"endpoint": f"{server.endpoint}/v1/logs"}
    send = ours(fapilog.LoggerProvider(settings=settings(otlp=otlp), exporters=["otlp"]))

    def sent(count: int) -> Account:
        # Ours says what the Collector has taken; what came out of it, the null server tells.
        send(count)
        return {"cpu_of": server.process.pid}

    return sent
