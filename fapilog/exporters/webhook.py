"""Stage 6 of 7, export: JSON batches posted to a URL, signed. Threads: delivery loop, one for a post.

What a receiver does with it: `docs/how-to/webhook.md`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from fapilog import _native
from fapilog.batch import LogBatch
from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.auth import Auth
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.otlp import user_agent
from fapilog.exporters.posting import Client, Poster, Response, failure
from fapilog.exporters.requests import REQUEST_TOO_LARGE, Answer, Part, Requests
from fapilog.exporters.signature import BATCH_HEADER, SIGNATURE_HEADER, sign, verify
from fapilog.settings import Settings, WebhookSettings

__all__ = ["BATCH_HEADER", "SIGNATURE_HEADER", "WebhookExporter", "verify"]

# Not OTLP's list: webhooks are not OTLP receivers. 408, 429 and every 5xx say "later" in HTTP itself.
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_BATCH_ID_CHARACTERS = 32


class WebhookExporter:
    """Posts each batch as one JSON document; as several where one is too large.

    Args:
        settings: URL, form, secrets, limits.
        auth: Headers that change; they win over those of the settings.
        name: Key of its side of the ledger.
        client: What posts; None: the native client.
        clock: Unix seconds, for the signature.

    Raises:
        ConfigurationError: `webhook-url-missing`; `setting-invalid`, if the certificate cannot be used.
    """

    max_in_flight = 1  # a webhook sees batches in order

    def __init__(
        self,
        settings: WebhookSettings,
        auth: Auth | None = None,
        name: str = "webhook",
        *,
        client: Client | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._form = settings.form
        self._limit_bytes = settings.max_body_bytes
        self._secrets = settings.signing_secrets()
        self._clock = clock
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        client = client if client is not None else make_client(settings)
        self._poster = Poster(settings.required_url(), headers, client, auth, "fapilog-webhook")
        # A request over the limit has a body over the limit: this spares encoding it.
        self._requests = Requests(self._send, settings.max_body_bytes)

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Post the batch."""
        return await self._requests.export(batch)

    async def _send(self, _batch: LogBatch, part: Part) -> Answer:
        body = encode_body(part.request, self._form)
        if len(body) > self._limit_bytes:
            what = f"the body has {len(body)} bytes, the exporter posts {self._limit_bytes} at most"
            return Answer("too_large", cause=what, error_type=REQUEST_TOO_LARGE)
        return await self._poster.post(lambda: body, lambda body: self._headers(part, body), self._read)

    def _headers(self, part: Part, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", BATCH_HEADER: batch_id(part)}
        if self._secrets:
            headers[SIGNATURE_HEADER] = sign(body, self._secrets, int(self._clock()))
        return headers

    def _read(self, response: Response) -> Answer:
        if 200 <= response[0] < 300:
            return Answer("taken")
        return failure(response, self._clock(), lambda status: status in _LATER or status >= 500)


def make_exporter(settings: Settings, auth: Auth | None = None) -> WebhookExporter:
    """Make the exporter that is called `webhook`."""
    return WebhookExporter(settings.webhook, auth)


def make_client(settings: WebhookSettings) -> Client:
    """Make the native client."""
    try:
        return _native.HttpClient(
            timeout_millis=settings.timeout_millis or None,
            certificate=settings.certificate,
            user_agent=user_agent(),
        )
    except ValueError as error:
        problem = Problem(
            "setting-invalid", str(error), (), "correct the file that webhook.certificate names"
        )
        raise ConfigurationError([problem]) from error


def batch_id(part: Part) -> str:
    """An id that follows from the records alone: the same at every attempt, and after a restart."""
    return hashlib.sha256(part.request).hexdigest()[:_BATCH_ID_CHARACTERS]


def encode_body(request: bytes, form: str) -> bytes:
    """Encode a request as one JSON document: `otlp_json`, or `json`, an array of flat records."""
    if form == "otlp_json":
        return _native.encode_request(request, "otlp_json")
    lines = _native.encode_request(request, "json").splitlines()
    ends = [end for end, count in _resources(request) for _ in range(count)]
    return b"[" + b",".join(line[:-1] + end for line, end in zip(lines, ends, strict=True)) + b"]"


def _resources(request: bytes) -> Sequence[tuple[bytes, int]]:
    """The end of a flat record, for each resource and so many records: its attributes as one member more."""
    return [
        (
            b',"resource":' + json.dumps(_plain(attributes), ensure_ascii=False).encode() + b"}",
            sum(len(records) for _, records in scopes),
        )
        for attributes, _, scopes in _native.decode_request(request)
    ]


def _plain(value: Any) -> Any:
    """A value as JSON takes it: bytes as base64, infinities by name."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
