"""The demo's service: the application under uvicorn, the requests to it, and the checks of what arrived.

It needs the extra `fapilog[fastapi]`; `fapilog.cli.demo` loads it.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import fapilog
from fapilog.cli.loopback import HOST
from fapilog.instrumentation import load_fastapi
from fapilog.ledger import Ledger
from fapilog.settings import Settings
from fapilog.telemetry import Telemetry
from fapilog.testing import OtlpReceiver, ReceivedLogRecord

shop = load_fastapi("shop", "fapilog demo")

# What must never reach a destination; the demo looks for them in everything that the receiver got.
CARD = "4111 1111 1111 1111"
EMAIL = "ada@example.com"
PASSWORD, TOKEN = "correct-horse", "token-of-the-demo"  # nosec B105 - baits of the demo
SECRETS = (CARD, EMAIL, PASSWORD, TOKEN)


@dataclass(frozen=True)
class Asked:
    """One request to the application, and the status that it must answer."""

    method: str
    path: str
    status: int
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


_ORDER = {"customer": EMAIL, "card": CARD, "item": "tea"}
REQUESTS = (
    Asked("POST", "/orders", 201, _ORDER, {"X-Correlation-ID": "order-7"}),
    Asked("GET", "/orders/1", 200, headers={"X-User": "u-7"}),
    Asked("POST", "/login", 200, {"user": "ada", "password": PASSWORD}, {"Authorization": f"Bearer {TOKEN}"}),
    Asked("GET", "/stock/tea", 200),
    Asked("POST", "/orders", 422, {**_ORDER, "count": 0}),
    Asked("POST", "/orders/1/payment", 500, headers={"X-Card": CARD}),
)
FLUSH_TIMEOUT_MILLIS = 5_000
_REQUEST_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Check:
    """One thing that must be true at the end."""

    what: str
    holds: bool


def run_application(settings: Settings) -> tuple[Ledger, list[int]]:
    """Serve the application, send it the requests, end it; return the ledger and the statuses."""
    with fapilog.configure_otel(settings=settings) as telemetry:
        with serving(telemetry) as address:
            statuses = [fetch(address, asked) for asked in REQUESTS]
        telemetry.force_flush(FLUSH_TIMEOUT_MILLIS)
    # After the shutdown, so that nothing can move any more.
    return telemetry.ledger(), statuses


@contextmanager
def serving(telemetry: Telemetry) -> Iterator[str]:
    """Run the application under uvicorn in a thread; its address is ready to be asked at once."""
    # uvicorn says less about each request than the access record, and without its trace.
    app = shop.create_app(telemetry=telemetry, access={"silence_uvicorn": True, "client": False})
    # Bound and listening before the thread starts: an early request waits in the queue of the socket.
    with socket.create_server((HOST, 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        # Requests are what the demo is about; a server's start and stop would be records without a trace. And
        # what it prints of an exception is that of Python, with the card in it.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        thread = threading.Thread(target=server.run, args=([listener],), name="demo-uvicorn", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_REQUEST_TIMEOUT_SECONDS)


def fetch(address: str, asked: Asked) -> int:
    """Send one request; return the status."""
    body = None if asked.document is None else json.dumps(asked.document).encode()
    headers = {"Content-Type": "application/json", **asked.headers}
    request = urllib.request.Request(f"{address}{asked.path}", body, headers, method=asked.method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_SECONDS) as answer:  # noqa: S310  # nosec B310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def span_ids(receiver: OtlpReceiver) -> set[str]:
    """Return `trace id/span id` of every span that the receiver got, in hex."""
    messages = [request.message for request in receiver.requests]
    return {
        f"{span.trace_id.hex()}/{span.span_id.hex()}"
        for message in messages
        if isinstance(message, ExportTraceServiceRequest)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def correlated(records: Sequence[ReceivedLogRecord]) -> bool:
    """Return whether there is an access record for each request, and one correlation id in each trace."""
    ids: dict[str, set[object]] = {}
    for record in records:
        if record.trace_id:
            ids.setdefault(record.trace_id, set()).add(record.attributes.get("fapilog.correlation_id"))
    access = [record for record in records if record.event_name == "fapilog.http.server.request"]
    one_each = all(len(found) == 1 and None not in found for found in ids.values())
    return one_each and len({*map(str, ids.values())}) == len(access) == len(REQUESTS)


def find_checks(receiver: OtlpReceiver, ledger: Ledger, statuses: Sequence[int]) -> list[Check]:
    """Return everything that must hold, with its answer."""
    records, spans, otlp = receiver.log_records, span_ids(receiver), ledger.exporters["otlp"]
    inside = [record for record in records if record.trace_id]
    linked = all(f"{record.trace_id}/{record.span_id}" in spans for record in inside)
    traces = {record.trace_id for record in inside}
    decoded = str([request.message for request in receiver.requests])
    return [
        Check(
            "every request got the answer it should", list(statuses) == [asked.status for asked in REQUESTS]
        ),
        Check("both equations of the ledger add up", ledger.balanced),
        Check("nothing is lost, nothing is pending", ledger.accepted == otlp.delivered and otlp.pending == 0),
        Check("the receiver decoded as many records as were delivered", len(records) == otlp.delivered),
        Check(
            "every request has a trace, and its records name a span of it",
            linked and len(traces) == len(REQUESTS),
        ),
        Check(
            "every request has one access record, and one correlation id on all its records",
            correlated(records),
        ),
        Check(
            "no card, password, token or e-mail address in anything that was received",
            not any(secret in decoded for secret in SECRETS),
        ),
    ]
