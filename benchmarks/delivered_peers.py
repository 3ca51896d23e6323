"""Clients and handlers of others, as ways to deliver log records; each as its documentation says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from benchmarks.delivered_ours import TOKEN, Account, Send, Start
from benchmarks.exporters import RESOURCE
from benchmarks.scenarios import MESSAGE, ROW_COUNT, Values, varied_rows

INDEX = "logs-generic.otel-default"
LINE = MESSAGE + " user_id=%d path=%s status=%d duration_ms=%s region=%s"
Handler = tuple[logging.Handler, Callable[[], object]]


def document(row: Values) -> dict[str, Any]:
    """Return the document that ours is in the shape `otel`."""
    user_id, path, status, duration_ms, region = row
    now = f"{time.time_ns() / 1e6:.6f}"
    return {
        "@timestamp": now,
        "observed_timestamp": now,
        "data_stream": {"type": "logs", "dataset": "generic.otel", "namespace": "default"},
        "severity_text": "INFO",
        "severity_number": 9,
        "attributes": {
            "user_id": user_id,
            "path": path,
            "status": status,
            "duration_ms": duration_ms,
            "region": region,
        },
        "resource": {"attributes": RESOURCE},
        "scope": {"name": "orders"},
        "body": {"text": MESSAGE},
    }


def actions(count: int) -> Iterator[dict[str, Any]]:
    """Yield what the clients' helpers take."""
    rows = varied_rows()
    for number in range(count):
        yield {"_op_type": "create", "_index": INDEX, "_source": document(rows[number % ROW_COUNT])}


def bulk_helper(package: str, helper: str, *, orjson: bool = False, **given: Any) -> Start:
    """A helper of `elasticsearch` or `opensearchpy`; `given` goes to the client but for `helper`'s own."""
    options = given.pop("options", {})

    def start(url: str, _: ExitStack) -> Send:
        module = import_module(package)
        made = getattr(module, "Elasticsearch" if package == "elasticsearch" else "OpenSearch")
        if orjson:
            given["serializer"] = import_module(f"{package}.serializer").OrjsonSerializer()
        client = made(url, **given)
        call = getattr(import_module(f"{package}.helpers"), helper)

        def send(count: int) -> Account:
            taken = sum(ok for ok, _ in call(client, actions(count), **options))
            return {"offered": count, "delivered": taken}

        return send

    return start


def async_bulk_helper(url: str, _: ExitStack) -> Send:
    """The asynchronous client's helper."""
    from elasticsearch import AsyncElasticsearch
    from elasticsearch.helpers import async_streaming_bulk

    async def all_of(count: int) -> int:
        async def stream() -> AsyncIterator[dict[str, Any]]:
            for action in actions(count):
                yield action

        async with AsyncElasticsearch(url) as client:
            return sum([ok async for ok, _ in async_streaming_bulk(client, stream())])

    def send(count: int) -> Account:
        return {"offered": count, "delivered": asyncio.run(all_of(count))}

    return send


def handler(make: Callable[[str], Handler], *, formats: bool = True) -> Start:
    """A handler of the standard library's `logging`, and how it is flushed.

    Args:
        make: Makes both.
        formats: Whether it puts arguments into the message; if not, the call does.
    """

    def start(url: str, _: ExitStack) -> Send:
        made, flush = make(url)
        logger = logging.getLogger("orders")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(made)

        def send(count: int) -> Account:
            rows = varied_rows()
            for number in range(count):
                row = rows[number % ROW_COUNT]
                if formats:
                    logger.info(LINE, *row)
                else:
                    logger.info(LINE % row)
            flush()
            return {}

        return send

    return start


def splunk_handler(**given: Any) -> Start:
    """The handler of `splunk-handler`; it queues, and sends from a thread."""

    def make(url: str) -> Handler:
        from splunk_handler import SplunkHandler

        host, port = address(url)
        made = SplunkHandler(host, port, TOKEN, "main", protocol="http", verify=False, source="app", **given)
        return made, made.close

    return handler(make)


def splunk_hec_handler(url: str) -> Handler:
    """The handler of `splunk-hec-handler`: a request for each record, in the call."""
    from splunk_hec_handler import SplunkHecHandler

    host, port = address(url)
    made = SplunkHecHandler(host, TOKEN, port=port, proto="http", index="main")
    return made, made.flush


def address(url: str) -> tuple[str, int]:
    """Return host and port of a URL without a path."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
