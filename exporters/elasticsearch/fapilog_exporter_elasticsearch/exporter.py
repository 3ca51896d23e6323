"""`ElasticsearchExporter`: batches as bulk requests. Stage 6 of 7, export. Thread: delivery loop.

The core encodes, `progress` remembers, `connection` posts, `answers` reads; here they are put together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary

from fapilog import Documents, ExportOutcome, LogBatch
from fapilog.exporters.http import Client, HttpError, make_client, run_aside, shown
from fapilog_exporter_elasticsearch import answers
from fapilog_exporter_elasticsearch.answers import Answer, Fate
from fapilog_exporter_elasticsearch.connection import Connection
from fapilog_exporter_elasticsearch.progress import Progress, Statistics
from fapilog_exporter_elasticsearch.settings import ElasticsearchSettings

_log = logging.getLogger("fapilog_exporter_elasticsearch")
# Shapes whose data streams have templates of Elastic's, so that a missing one is a mistake.
_WITH_TEMPLATES = ("otel", "ecs")
_MAX_ANSWER_BYTES = 33_554_432


class ElasticsearchExporter:
    """Sends each batch as documents of bulk requests, and again only those that were not taken.

    Args:
        settings: Default: from variables and `given`.
        client: What posts; None: the native client.
        wall_clock: Unix seconds, for a `Retry-After` that is a date.
        clock: Monotonic seconds.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> exporter = ElasticsearchExporter(urls=["https://logs.example:9200"], api_key="not-a-key")
        >>> exporter
        <ElasticsearchExporter to https://logs.example:9200>
        >>> exporter.max_in_flight, exporter.statistics.delivered
        (4, 0)
    """

    name = "elasticsearch"

    def __init__(
        self,
        settings: ElasticsearchSettings | None = None,
        *,
        client: Client | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        **given: Any,
    ) -> None:
        self.settings = settings if settings is not None else ElasticsearchSettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._wall_clock = wall_clock
        if client is None:
            client = make_client(
                self.settings,
                "fapilog-exporter-elasticsearch",
                timeout_millis=self.settings.timeout_millis,
                max_response_bytes=_MAX_ANSWER_BYTES,
                max_connections=self.settings.max_in_flight + 1,
            )
        self._connection = Connection(self.settings, client, clock)
        self._product: str | None = None if self.settings.product == "auto" else self.settings.product
        self._option_unknown = False
        self._warned = False
        self._unfinished: WeakKeyDictionary[LogBatch, Progress] = WeakKeyDictionary()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ElasticsearchExporter to {', '.join(self.settings.nodes)}>"

    @property
    def product(self) -> str | None:
        """`elasticsearch`, `opensearch`, or None while it is not known."""
        return self._product

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch; documents that were decided before are not sent again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        progress = self._unfinished.pop(batch, None)
        try:
            if self._product is None and (waits := await self._find_product()) is not None:
                return _waiting(waits)
            if progress is None:
                limit = self.settings.max_request_bytes
                progress = Progress(await self._encode(batch), limit, len(batch))
            return await self._work(batch, progress)
        finally:
            if progress is not None and not progress.done:
                self._unfinished[batch] = progress

    async def force_flush(self, timeout_millis: int) -> bool:  # noqa: ARG002 - of the protocol
        """Nothing is held here: what was not taken is with the pipeline."""
        return True

    async def shutdown(self, timeout_millis: int) -> None:  # noqa: ARG002 - of the protocol
        """Take nothing more."""
        self.close()

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True

    async def _work(self, batch: LogBatch, progress: Progress) -> ExportOutcome:
        progress.begin()
        while (piece := progress.next()) is not None:
            answer = await self._attempt(progress, piece)
            if answer.fate is Fate.OPTION_UNKNOWN and not self._option_unknown:
                self._option_unknown = True
                progress.replace(await self._encode(batch))
                continue
            refused_for_now = answer.fate is Fate.CREDENTIALS and self.settings.refused_credentials == "wait"
            if refused_for_now:
                answer = replace(answer, retry_after_millis=self.settings.refused_credentials_pause_millis)
            if answer.fate is Fate.LATER or refused_for_now:
                return self._outcome(progress, answer)
            progress.apply(piece, answer, self.statistics)
            self._warn_of_failure_store()
        return self._outcome(progress, None)

    async def _attempt(self, progress: Progress, piece: Sequence[int]) -> Answer:
        """One request, to more than one node if need be."""
        said = self.statistics
        said.requests += 1

        def once_more() -> None:
            said.requests += 1
            said.resent += len(piece)

        try:
            response = await self._connection.bulk(lambda: progress.body(piece), once_more)
        except OSError as error:
            said.resent += len(piece)
            return self._no_answer(error)
        hide, ids = self._connection.hide, self.settings.ids
        answer = answers.read(response, len(piece), ids=ids, now=self._wall_clock(), hide=hide)
        if answer.fate is Fate.LATER and response[0] != HTTPStatus.TOO_MANY_REQUESTS:
            said.resent += len(piece)
        return answer

    async def _find_product(self) -> Answer | None:
        """Ask which product it is, by a bulk request without documents; return why it cannot be told yet."""
        try:
            response = await self._connection.bulk(lambda: b"", lambda: None)
        except OSError as error:
            return self._no_answer(error)
        found = answers.product(response[1])
        answer = answers.read(response, 0, ids=True, now=self._wall_clock(), hide=self._connection.hide)
        if found is None and answer.fate is Fate.LATER:
            return answer  # somebody in front of it answered
        if found is None and answer.fate is Fate.CREDENTIALS:
            pause = self.settings.refused_credentials_pause_millis
            if self.settings.refused_credentials == "wait":
                return replace(answer, retry_after_millis=pause)
        if found is not None or answer.fate in (Fate.EACH, Fate.REFUSED):
            # Others that take bulk requests are closer to OpenSearch: no extensions of Elastic's.
            self._product = found or "opensearch"
        return None

    def _no_answer(self, error: OSError) -> Answer:
        timed_out = isinstance(error, HttpError) and error.timeout
        reason = "timeout" if timed_out else type(error).__name__
        return Answer(Fate.LATER, cause=shown(self._connection.hide(str(error))), reason=reason)

    async def _encode(self, batch: LogBatch) -> Documents:
        settings = self.settings
        options: dict[str, Any] = {"ids": settings.ids}
        if settings.index is not None:
            options["index"] = settings.index
        if settings.data_stream_type is not None:
            options["data_stream_type"] = settings.data_stream_type
        options |= {"dataset": settings.dataset, "namespace": settings.namespace}
        elastic = self._product == "elasticsearch"
        if settings.shape == "otel":
            options["time"] = "epoch_millis" if elastic else "iso"
        wanted = settings.require_data_stream
        if wanted is None:
            wanted = elastic and settings.shape in _WITH_TEMPLATES and settings.index is None
        options["require_data_stream"] = wanted and not self._option_unknown
        shape = settings.shape
        return await run_aside(  # type: ignore[no-any-return]
            lambda: batch.documents(shape, bulk=True, **options), "fapilog-elasticsearch"
        )

    def _warn_of_failure_store(self) -> None:
        if self.statistics.failure_store and not self._warned:
            self._warned = True
            _log.warning(
                "the server could not index documents, and put them into its failure store: look at"
                " GET <data stream>::failures/_search; this is said once, statistics.failure_store counts on"
            )

    def _outcome(self, progress: Progress, waits: Answer | None) -> ExportOutcome:
        """What was decided since the last report, and why the rest waits."""
        delivered, dropped, told, items_wait = progress.report()
        waits = waits or items_wait
        self.statistics.delivered += delivered
        self.statistics.dropped += dropped
        reason, cause = (waits.reason, waits.cause) if waits is not None else ("", "")
        if dropped:
            reason = dropped.most_common(1)[0][0]
            cause = "; ".join(filter(None, (f"dropped {told}", cause)))
        return ExportOutcome(
            delivered,
            dropped.total(),
            retry=not progress.done,
            retry_after_millis=waits.retry_after_millis if waits is not None else None,
            cause=cause,
            error_type=reason,
        )


def _waiting(answer: Answer) -> ExportOutcome:
    return ExportOutcome(
        retry=True,
        retry_after_millis=answer.retry_after_millis,
        cause=answer.cause,
        error_type=answer.reason,
    )
