"""Requests to one collector: token, channel, cookies, gzip; and what it is asked besides taking events.

Stage 6 of 7, export. Threads: one for each request, so that the delivery loop never waits.
"""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Sequence
from http.cookies import CookieError, SimpleCookie
from importlib.metadata import version
from typing import Any, Protocol
from urllib.error import HTTPError
from uuid import uuid4

from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.http import HttpClient, HttpError, run_aside, without
from fapilog_exporter_splunk.settings import SplunkHecSettings

_PATHS = {
    "event": "/services/collector/event",
    "raw": "/services/collector/raw",
    "ack": "/services/collector/ack",
    "health": "/services/collector/health",
}
_COMPRESS_FROM_BYTES = 1_024
_GZIP = 16 + zlib.MAX_WBITS
_SHORTEST_SECRET = 6
_READ_BYTES = 65_536

Response = tuple[int, list[tuple[str, str]], bytes]


class Client(Protocol):
    """What posts: `fapilog.exporters.http.HttpClient`, or a stand-in in tests."""

    def post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Response:
        """Post and wait for the answer; `OSError` if there is none."""


class Connection:
    """Speaks with one collector, for one process.

    Args:
        settings: Where, with which token, how.
        client: What posts; None: the native client.
    """

    def __init__(self, settings: SplunkHecSettings, client: Client | None = None) -> None:
        self._settings = settings
        self._client = client if client is not None else make_client(settings)
        self._token = settings.token.get_secret_value()
        self._lock = threading.Lock()
        self._cookies: dict[str, str] = {}
        self._answered = False
        self.channel = str(settings.channel or uuid4())

    async def send(self, body: Callable[[], bytes], query: str) -> tuple[Response, str, bool]:
        """Post events.

        Args:
            body: Makes the body; called in the thread.
            query: Of the URL; empty: none.

        Returns:
            The answer, the channel, and whether the request was made twice: a kept connection that the
            collector had closed meanwhile shows only when it is used.

        Raises:
            OSError: If there is no answer.
        """
        channel = self.channel

        def post() -> tuple[Response, bool]:
            content, headers = self._packed(body())
            try:
                return self._post(self._settings.endpoint, channel, headers, content, query), False
            except HttpError as error:
                if error.timeout or not self._answered:
                    raise
                self._answered = False
                return self._post(self._settings.endpoint, channel, headers, content, query), True

        try:
            response, twice = await run_aside(post, "fapilog-splunk")
        except HttpError as error:
            if not error.timeout:
                self.renew_channel(channel)
            raise
        return response, channel, twice

    async def ask(self, channel: str, ids: Iterable[int]) -> Response:
        """Ask which of these are acknowledged; raises `OSError` if there is no answer."""
        content = json.dumps({"acks": sorted(ids)}).encode()
        response: Response = await run_aside(
            lambda: self._post("ack", channel, {}, content, ""), "fapilog-splunk-ack"
        )
        return response

    async def health(self) -> tuple[int, str]:
        """Return status and text of the collector's health; raises `OSError` if there is no answer."""
        answer: tuple[int, str] = await run_aside(self._health, "fapilog-splunk-health")
        return answer

    def renew_channel(self, channel: str) -> None:
        """Begin another channel: a collector that starts anew counts its acknowledgements from 0 again."""
        if self._settings.channel is None and channel == self.channel:
            self.channel = str(uuid4())

    def hide(self, text: str) -> str:
        """Return the text without the token and cookies."""
        with self._lock:
            secrets = [self._token, *self._cookies.values()]
        return without(
            text, sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len)[::-1]
        )

    def _packed(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        if self._settings.compression == "none" or len(body) < _COMPRESS_FROM_BYTES:
            return body, {}
        packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        return packer.compress(body) + packer.flush(), {"content-encoding": "gzip"}

    def _post(self, endpoint: str, channel: str, extra: dict[str, str], body: bytes, query: str) -> Response:
        url = f"{self._settings.url}{_PATHS[endpoint]}"
        kind = "text/plain; charset=utf-8" if endpoint == "raw" else "application/json"
        headers = {**self._headers(channel), "content-type": kind, **extra}
        response = self._client.post(f"{url}?{query}" if query else url, list(headers.items()), body)
        self._answered = True
        self._keep_cookies(value for name, value in response[1] if name.lower() == "set-cookie")
        return response

    def _headers(self, channel: str) -> dict[str, str]:
        headers = {"authorization": f"Splunk {self._token}", "x-splunk-request-channel": channel}
        with self._lock:
            if self._cookies:
                headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return headers

    def _keep_cookies(self, lines: Iterable[str]) -> None:
        """Balancers tell by cookies which indexer knows our channel."""
        for line in lines:
            try:
                found = SimpleCookie(line)
            except CookieError:
                continue
            with self._lock:
                for name, cookie in found.items():
                    self._cookies[name] = cookie.coded_value
                    if not cookie.value or cookie["max-age"] == "0":
                        del self._cookies[name]

    def _health(self) -> tuple[int, str]:
        request = urllib.request.Request(  # noqa: S310 - settings allow http and https only
            self._settings.url + _PATHS["health"], headers=self._headers(self.channel)
        )
        opener = urllib.request.build_opener(_NoRedirects, *_tls(self._settings))
        try:
            with opener.open(request, timeout=self._settings.timeout_millis / 1_000) as answer:
                return answer.status, self.hide(answer.read(_READ_BYTES).decode("utf-8", "replace"))
        except HTTPError as error:
            with error:
                return error.code, self.hide(error.read(_READ_BYTES).decode("utf-8", "replace"))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to one host."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _tls(settings: SplunkHecSettings) -> Sequence[urllib.request.BaseHandler]:
    if not settings.url.startswith("https:"):
        return ()
    context = ssl.create_default_context(cafile=settings.certificate)
    if settings.client_certificate is not None:
        context.load_cert_chain(settings.client_certificate, settings.client_key)
    return (urllib.request.HTTPSHandler(context=context),)


def make_client(settings: SplunkHecSettings) -> Client:
    """Make the native client.

    Raises:
        ConfigurationError: `setting-invalid`, if a certificate cannot be used.
    """
    try:
        return HttpClient(
            timeout_millis=settings.timeout_millis,
            certificate=settings.certificate,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            user_agent=f"fapilog-exporter-splunk/{version('fapilog-exporter-splunk')}",
            max_connections=settings.in_flight + 1,
        )
    except ValueError as error:
        remedy = "correct the file that certificate, client_certificate or client_key of splunk_hec names"
        raise ConfigurationError([Problem("setting-invalid", str(error), (), remedy)]) from error
