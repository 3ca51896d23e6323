"""OTLP over HTTP in, bulk requests to OpenSearch out: the answer is yes when OpenSearch has every document.

Each document has the record's `log.record.uid` as its `_id`, so what comes a second time is refused there,
and counted here as a repeat. It stands for the Collector's own exporter for Elasticsearch.
"""

import asyncio
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from fapilog import LogBatch
from fapilog_exporter_elasticsearch import ElasticsearchExporter

# The Collector asks again; a thread here must not wait for ever.
ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.2


class Indexer:
    """A server on a free port of this machine.

    Args:
        opensearch: URL of a node.
    """

    def __init__(self, opensearch: str) -> None:
        self._exporter = ElasticsearchExporter(urls=[opensearch], dataset="orders", product="opensearch")
        self._loop = asyncio.new_event_loop()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        """Where the Collectors send."""
        return f"http://127.0.0.1:{self._server.server_port}/v1/logs"

    @property
    def repeats(self) -> int:
        """How many documents OpenSearch had already."""
        return self._exporter.statistics.duplicates

    def __enter__(self) -> Self:
        for run in (self._loop.run_forever, self._server.serve_forever):
            threading.Thread(target=run, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def index(self, request: bytes) -> bool:
        """Tell whether OpenSearch has every record of a request."""
        done = asyncio.run_coroutine_threadsafe(self._index(LogBatch(request)), self._loop)
        try:
            return done.result(ANSWER_SECONDS)
        except TimeoutError:
            done.cancel()
            return False

    async def _index(self, batch: LogBatch) -> bool:
        delivered = 0
        while True:
            outcome = await self._exporter.export_batch(batch)
            delivered += outcome.delivered
            if not outcome.retry:
                return delivered == len(batch)
            await asyncio.sleep(PAUSE_SECONDS)


def _handler(indexer: Indexer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(200 if indexer.index(body) else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
