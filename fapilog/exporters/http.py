"""Stage 6 of 7, export: what exporters of other packages need to speak HTTP. Threads: delivery loop, workers.

| name | what it is |
|---|---|
| `HttpClient` | posts without the interpreter lock: TLS, kept connections, proxies |
| `HttpError` | why there is no answer |
| `Client`, `Response` | what an exporter asks of a client, so that a test may stand in; what it answers |
| `Body` | of a request: bytes, or a part of `Documents` that nobody copies |
| `make_client` | an `HttpClient` from `TlsSettings` |
| `run_aside` | a call that blocks, in a daemon thread that no end of the interpreter waits for |
| `retry_after_millis` | the pause that a header asks for |
| `sent_secrets`, `without` | hide what was sent in what a server answers |
| `shown` | the beginning of a text, in one line that cannot forge another |
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fapilog._native import HttpClient, HttpError
from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.aside import run_aside
from fapilog.exporters.masking import sent_secrets, without
from fapilog.exporters.posting import retry_after_millis
from fapilog.exporters.requests import shown
from fapilog.exporters.settings import TlsSettings

if TYPE_CHECKING:
    from fapilog._native import DocumentsPart

__all__ = [
    "Body",
    "Client",
    "HttpClient",
    "HttpError",
    "Response",
    "make_client",
    "retry_after_millis",
    "run_aside",
    "sent_secrets",
    "shown",
    "without",
]

Response = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

Body: TypeAlias = "bytes | DocumentsPart"
"""What is posted. `len()` tells its bytes, and `bytes()` returns them."""


class Client(Protocol):
    """What posts: `HttpClient`, or a stand-in in tests."""

    def post(self, url: str, headers: list[tuple[str, str]], body: Body, *, gzip: bool = False) -> Response:
        """Post and wait for the answer; `OSError` if there is none.

        Args:
            url: Where to.
            headers: In this order.
            body: Of the request.
            gzip: Compress the body, and add the header `content-encoding`.
        """


def make_client(settings: TlsSettings, package: str, **given: Any) -> HttpClient:
    """Make a client that uses the certificates of the settings.

    Args:
        settings: Of the exporter.
        package: Name of the exporter's distribution, for the header `user-agent`.
        **given: What else `HttpClient` takes.

    Raises:
        ConfigurationError: `setting-invalid`, if a certificate cannot be used.

    Example:
        >>> class PostSettings(TlsSettings):
        ...     exporter = "post"
        ...     prefix = "FAPILOG_POST_"
        >>> make_client(PostSettings(), "fapilog", timeout_millis=1_000).__class__.__name__
        'HttpClient'
    """
    try:
        return HttpClient(
            certificate=settings.certificate,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            user_agent=f"{package}/{version(package)}",
            **given,
        )
    except ValueError as error:
        names = "certificate, client_certificate or client_key"
        remedy = f"correct the file that {names} of {settings.exporter} names"
        raise ConfigurationError([Problem("setting-invalid", str(error), (), remedy)]) from error
