"""Requests to one collector: token, channel, cookies; and what it is asked besides taking events.

Stage 6 of 7, export. Threads: one for each request, so that the delivery loop never waits.
"""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

from fapilog.exporters.http import Body, Client, HttpError, Response, run_aside, without
from fapilog_exporter_splunk.settings import SplunkHecSettings

_PATHS = {
    "event": "/services/collector/event",
    "raw": "/services/collector/raw",
    "ack": "/services/collector/ack",
    "health": "/services/collector/health",
}
_COMPRESS_FROM_BYTES = 1_024
_SHORTEST_SECRET = 6
_READ_BYTES = 65_536


class Connection:
    """Speaks with one collector, for one process.

    Args:
        settings: Where, with which token, how.
        client: What posts.
    """

    def __init__(self, settings: SplunkHecSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._token = settings.token.get_secret_value()
        self._lock = threading.Lock()
        self._cookies: dict[str, str] = {}
        self._answered = False
        self.channel = str(settings.channel or uuid4())

    async def send(
        self, body: Callable[[], Body], query: str, again: Callable[[], object]
    ) -> tuple[Response, str]:
        """Post events.

        Args:
            body: Makes the body; called in the thread.
            query: Of the URL; empty: none.
            again: Called in the thread before the same request is made once more: a kept connection that the
                collector had closed meanwhile shows only when it is used.

        Returns:
            The answer and the channel.

        Raises:
            OSError: If there is no answer.
        """
        channel = self.channel

        def post() -> Response:
            content = body()
            try:
                return self._post(self._settings.endpoint, channel, content, query)
            except HttpError as error:
                if error.timeout or not self._answered:
                    raise
                self._answered = False
                again()
                return self._post(self._settings.endpoint, channel, content, query)

        try:
            response: Response = await run_aside(post, "fapilog-splunk")
        except HttpError as error:
            if not error.timeout:
                self.renew_channel(channel)
            raise
        return response, channel

    async def ask(self, channel: str, ids: Iterable[int]) -> Response:
        """Ask which of these are acknowledged; raises `OSError` if there is no answer."""
        content = json.dumps({"acks": sorted(ids)}).encode()
        response: Response = await run_aside(
            lambda: self._post("ack", channel, content), "fapilog-splunk-ack"
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

    def _post(self, endpoint: str, channel: str, body: Body, query: str = "") -> Response:
        url = f"{self._settings.url}{_PATHS[endpoint]}"
        kind = "text/plain; charset=utf-8" if endpoint == "raw" else "application/json"
        headers = {**self._headers(channel), "content-type": kind}
        packs = self._settings.compression == "gzip" and len(body) >= _COMPRESS_FROM_BYTES
        response = self._client.post(
            f"{url}?{query}" if query else url, list(headers.items()), body, gzip=packs and endpoint != "ack"
        )
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
