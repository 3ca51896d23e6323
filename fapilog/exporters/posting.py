"""Stage 6 of 7, export: bodies posted over HTTP, and answers. Threads: delivery loop, one for a post.

For exporters in Python that speak HTTP: the native client posts without the interpreter lock, in a thread
that ends with the post. Redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

from fapilog.exporters.aside import run_aside
from fapilog.exporters.auth import Auth, AuthError
from fapilog.exporters.masking import sent_secrets, without
from fapilog.exporters.requests import Answer, shown
from fapilog.operations import error_type_of

Response = tuple[int, list[tuple[str, str]], bytes]
Read = Callable[[Response], Answer]

# Of an answer, looked at; far less is shown.
_READ_BYTES = 65_536
_CREDENTIALS_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "check the credentials in the exporter's headers",
    HTTPStatus.FORBIDDEN: "check the credentials in the exporter's headers",
}


class Client(Protocol):
    """What posts: `_native.HttpClient`, or a stand-in in tests."""

    def post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Response:
        """Post and wait for the answer; `OSError` if there is none."""


class Poster:
    """Posts for one exporter.

    Args:
        url: Where to.
        headers: Of every post; those of a single post and of `auth` win.
        client: What posts.
        auth: Headers that change.
        thread_name: Of the threads.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], client: Client, auth: Auth | None, thread_name: str
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._client = client
        self._auth = auth
        self._thread_name = thread_name

    async def post(
        self, body: Callable[[], bytes], headers: Callable[[bytes], Mapping[str, str]], read: Read
    ) -> Answer:
        """Post a body once.

        Args:
            body: Makes the body, in the posting thread: compressing takes time.
            headers: Makes the headers that depend on the body, in the posting thread too.
            read: Reads the answer.

        Returns:
            What `read` says; `retry` when there is no answer, no credentials, or new ones may help.
        """
        if self._auth is None:
            response = await self._once(body, headers, {})
            return read(response) if isinstance(response, tuple) else response
        try:
            credentials = await self._auth.credentials()
        except AuthError as error:
            return Answer("retry", cause=str(error))
        response = await self._once(body, headers, credentials.headers)
        if isinstance(response, Answer):
            return response
        answer = read(response)
        if response[0] not in _CREDENTIALS_REFUSED:
            self._auth.accepted(credentials)
        elif self._auth.refused(credentials):
            return replace(answer, kind="retry", cause=f"{answer.cause}; asking for new ones")
        return answer

    async def _once(
        self,
        body: Callable[[], bytes],
        headers: Callable[[bytes], Mapping[str, str]],
        credentials: Mapping[str, str],
    ) -> Response | Answer:
        def post() -> Response:
            content = body()
            merged = _merged(self._headers, credentials, headers(content))
            status, answered, text = self._client.post(self._url, list(merged.items()), content)
            said = text[:_READ_BYTES].decode("utf-8", "replace")
            # Hidden before the text is cut: half a secret would not be found.
            return status, answered, without(said, sent_secrets(self._url, merged.values())).encode()

        try:
            response: Response = await run_aside(post, self._thread_name)
        except OSError as error:
            return Answer("retry", cause=shown(str(error)), error_type=error_type_of(error))
        return response


def _merged(*given: Mapping[str, str]) -> dict[str, str]:
    """The headers in lower case, a later one in place of an earlier one."""
    return {name.lower(): value for headers in given for name, value in headers.items()}


def failure(response: Response, now: float, later: Callable[[int], bool]) -> Answer:
    """Read an answer other than 2xx.

    Args:
        response: Status, headers, body.
        now: Unix seconds, for a `Retry-After` that is a date.
        later: Whether a status means that the same request may succeed later.
    """
    status, headers, body = response
    cause, error_type = _cause(status, body), str(status)
    if later(status):
        after = retry_after_millis(headers, now)
        return Answer("retry", retry_after_millis=after, cause=cause, error_type=error_type)
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Answer("too_large" if too_large else "refused", cause=cause, error_type=error_type)


def _cause(status: int, body: bytes) -> str:
    try:
        cause = f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        cause = f"HTTP {status}"
    text = shown(body.decode("utf-8", "replace"))
    if text:
        cause = f"{cause}: {text}"
    if 300 <= status < 400:
        return f"{cause} (redirects are not followed: set the final URL)"
    return f"{cause} ({_HINTS[HTTPStatus(status)]})" if status in _HINTS else cause


def retry_after_millis(headers: Sequence[tuple[str, str]], now: float) -> int | None:
    """`Retry-After` in milliseconds, from seconds or a date (RFC 9110, 10.2.3); None: there is none.

    Example:
        >>> retry_after_millis([("retry-after", "2")], 0.0)
        2000
    """
    raw = next((value.strip() for name, value in headers if name.lower() == "retry-after"), "")
    if raw.isascii() and raw.isdecimal():
        return int(raw[:9]) * 1_000
    try:
        return max(0, int((parsedate_to_datetime(raw).timestamp() - now) * 1_000))
    except (ValueError, TypeError, OverflowError):
        return None
