"""Posts bulk requests to the nodes of a cluster, one after the other until one answers.

Threads: the delivery loop; a thread of its own for each post.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

from fapilog.exporters.http import Body, Client, Response, run_aside, sent_secrets, without
from fapilog_exporter_elasticsearch.answers import is_node_trouble
from fapilog_exporter_elasticsearch.nodes import Nodes
from fapilog_exporter_elasticsearch.settings import ElasticsearchSettings

# A status for each document, so that each is known by its place, and of failures no more than is used.
_ERROR = ("status", "error.type", "error.reason", "error.caused_by.type")
_FILTER = ",".join(("errors", "items.*.failure_store", *(f"items.*.{each}" for each in _ERROR), *_ERROR))
_COMPRESS_FROM_BYTES = 1_024
_THREAD = "fapilog-elasticsearch"


class Connection:
    """The way to one cluster.

    Args:
        settings: Nodes, credentials, compression.
        client: What posts.
        clock: Monotonic seconds.
    """

    def __init__(
        self, settings: ElasticsearchSettings, client: Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        pause, longest = settings.dead_node_millis / 1_000, settings.max_dead_node_millis / 1_000
        self.nodes = Nodes(settings.nodes, pause, longest, clock)
        self._client = client
        self._compresses = settings.compression == "gzip"
        self._authorization = settings.authorization()
        self._path = f"/_bulk?filter_path={_FILTER}"
        if settings.pipeline is not None:
            self._path += f"&pipeline={quote(settings.pipeline, safe='')}"

    async def bulk(self, body: Callable[[], Body], on_retry: Callable[[], object]) -> Response:
        """Post a body to the next node, and to others where one does not answer.

        Args:
            body: Makes the body, in the posting thread.
            on_retry: Called before another node gets what the last one may have taken.

        Raises:
            OSError: If no node answered.
        """
        tried: list[str] = []
        while True:
            url = self.nodes.next(tried)
            assert url is not None  # `has_other` has looked
            tried.append(url)
            try:
                response: Response = await run_aside(lambda url=url: self._post(url, body()), _THREAD)  # type: ignore[misc]
            except OSError:
                self.nodes.failed(url)
                if not self.nodes.has_other(tried):
                    raise
            else:
                if not is_node_trouble(response[0]):
                    self.nodes.answered(url)
                    return response
                self.nodes.failed(url)
                if not self.nodes.has_other(tried):
                    return response
            on_retry()

    def hide(self, text: str) -> str:
        """Hide credentials in what a server says."""
        return without(text, sent_secrets("", (self._authorization,))) if self._authorization else text

    def _post(self, url: str, body: Body) -> Response:
        headers = [("content-type", "application/x-ndjson")]
        if self._authorization is not None:
            headers.append(("authorization", self._authorization))
        packs = self._compresses and len(body) >= _COMPRESS_FROM_BYTES
        return self._client.post(url + self._path, headers, body, gzip=packs)
