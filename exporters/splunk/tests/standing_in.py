"""A client that asks the rules directly, and exporters over it: no network, no waiting."""

import asyncio
from gzip import compress as pack
from typing import Any
from urllib.parse import urlsplit

from fapilog import ExportOutcome, LogBatch
from fapilog.exporters.http import Body, HttpError, Response
from fapilog_exporter_splunk import SplunkHecExporter
from tests.servers.hec import TOKEN, Hec, Token
from tests.servers.hec_rules import Request

URL = "http://splunk.example:8088"


class DirectClient:
    """Posts to a `Hec` in this process."""

    def __init__(self, hec: Hec) -> None:
        self.hec = hec

    def post(self, url: str, headers: list[tuple[str, str]], body: Body, *, gzip: bool = False) -> Response:
        content = bytes(body)
        if gzip:
            content, headers = pack(content), [*headers, ("content-encoding", "gzip")]
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = self.hec.answer(Request("POST", target, dict(headers), content))
        if answer.reset:
            error = HttpError("splunk.example: connection reset")
            error.timeout = False
            raise error
        return answer.status, [(name.lower(), value) for name, value in answer.headers.items()], answer.body


def hec(token: Token | None = None, **given: Any) -> Hec:
    return Hec({TOKEN: token or Token()}, **given)


def exporter_to(hec: Hec, **given: Any) -> SplunkHecExporter:
    settings = {"url": URL, "token": TOKEN, "ack_poll_millis": 1, **given}
    return SplunkHecExporter(client=DirectClient(hec), **settings)


def export(exporter: SplunkHecExporter, batch: LogBatch) -> ExportOutcome:
    return asyncio.run(exporter.export_batch(batch))


def export_all(exporter: SplunkHecExporter, batch: LogBatch, at_most: int = 50) -> ExportOutcome:
    """As delivery does: again and again while there is something left; the sum of the outcomes."""
    delivered = rejected = 0
    for _ in range(at_most):
        outcome = export(exporter, batch)
        delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
        if not outcome.retry:
            break
    return ExportOutcome(delivered, rejected, outcome.retry, None, outcome.cause, outcome.error_type)
