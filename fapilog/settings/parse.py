"""Text to values: the parsing rules of the environment variables. Pure functions, no model, no environment.

Every parser raises `ValueError` with a clause that completes "<name> ...", such as "is not a whole number".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from fapilog.errors import MASK

LOGS_PATH = "/v1/logs"
GRPC_DEFAULT = "http://localhost:4317"
# Python's OpenTelemetry reads seconds where the specification says milliseconds. Nobody waits 1000 seconds
# for one request, and nobody gives a request less than a second on purpose: the number tells which is meant.
MILLISECONDS_FROM = 1_000

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_LONGEST_NUMBER = 18  # digits; more than any unit here can need, and below every integer limit


class Noted(NamedTuple):
    """A value that was understood, with something to say about it."""

    value: object
    code: str
    message: str


def text(raw: str) -> str:
    """The value as it stands, without surrounding white space."""
    return raw.strip()


def word(raw: str) -> str:
    """One word of an enumeration; case does not matter."""
    return raw.strip().lower()


def whole_number(raw: str) -> int:
    """An integer in decimal digits."""
    if not _WHOLE.fullmatch(raw.strip()) or len(raw.strip()) > _LONGEST_NUMBER:
        raise ValueError("is not a whole number")
    return int(raw.strip())


def number(raw: str) -> float:
    """A number in decimal digits, with a point or without."""
    if not _DECIMAL.fullmatch(raw.strip()) or len(raw.strip()) > _LONGEST_NUMBER:
        raise ValueError("is not a number")
    return float(raw.strip())


def flag(raw: str) -> bool:
    """`true` or `false`, in any case; OpenTelemetry knows no other booleans."""
    if word(raw) not in {"true", "false"}:
        raise ValueError("is neither true nor false")
    return word(raw) == "true"


def names(raw: str) -> tuple[str, ...]:
    """A comma-separated list; empty items are skipped."""
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def pairs(raw: str) -> dict[str, str]:
    """`key=value,key=value`, as it stands; the last of equal keys wins."""
    found: dict[str, str] = {}
    for item in names(raw):
        key, separator, value = item.partition("=")
        if not separator or not key.strip():
            raise ValueError("is not a list of key=value pairs")
        found[key.strip()] = value.strip()
    return found


def baggage(raw: str) -> dict[str, str]:
    """`key=value` pairs as W3C Baggage writes them: percent-encoded UTF-8."""
    try:
        decoded = {_unquoted(key): _unquoted(value) for key, value in pairs(raw).items()}
    except UnicodeDecodeError:
        raise ValueError("holds percent-encoded bytes that are not UTF-8") from None
    return {key.strip(): value.strip() for key, value in decoded.items()}


def _unquoted(raw: str) -> str:
    return unquote(raw, errors="strict")


def headers(raw: str) -> dict[str, str]:
    """Request headers from a W3C Baggage list; names become lower case."""
    if ";" in raw:  # a property of W3C Baggage, or a value that was not encoded: nobody can tell
        raise ValueError("holds a semicolon, which has to be written as %3B")
    return checked_headers(baggage(raw))


def checked_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The same headers with names in lower case, if they can be sent without changing the request."""
    for name, value in given.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("holds a header name with characters that HTTP does not allow")
        if not value.isprintable() or not value.isascii():
            raise ValueError("holds a header value with control or non-ASCII characters")
    return {name.lower(): value for name, value in given.items()}


def otlp_timeout(raw: str) -> int | Noted:
    """Milliseconds from OTEL_EXPORTER_OTLP_TIMEOUT: seconds as in Python, or clearly milliseconds.

    0 stays 0: no limit. Any positive number is at least 1 ms, so that a tiny one never means no limit.
    """
    if not _DECIMAL.fullmatch(raw.strip()) or len(raw.strip()) > _LONGEST_NUMBER:
        raise ValueError("is not a number of seconds")
    number = float(raw.strip())
    if number < MILLISECONDS_FROM:
        return math.ceil(number * 1_000)
    return Noted(
        math.ceil(number),
        "timeout-unit",
        f"is {raw.strip()}: taken as milliseconds. OpenTelemetry for Python reads this variable as seconds;"
        " FAPILOG_OTLP_TIMEOUT_MILLIS says it without doubt",
    )


class BaseUrl(str):
    """OTEL_EXPORTER_OTLP_ENDPOINT as it was given. What it means shows when the protocol is known."""

    __slots__ = ()


class SignalUrl(str):
    """OTEL_EXPORTER_OTLP_LOGS_ENDPOINT as it was given."""

    __slots__ = ()


class DefaultUrl(str):
    """The endpoint that nobody gave."""

    __slots__ = ()


def endpoint(raw: str, protocol: str) -> str:
    """The address that logs go to, by where it was given and how they travel."""
    if protocol == "grpc":
        return GRPC_DEFAULT if isinstance(raw, DefaultUrl) else grpc_endpoint(raw)
    if isinstance(raw, BaseUrl):
        return base_endpoint(raw)
    return signal_endpoint(raw) if isinstance(raw, SignalUrl) else full_endpoint(raw)


def base_endpoint(raw: str) -> str:
    """URL for logs below a base URL, as OTEL_EXPORTER_OTLP_ENDPOINT is meant: `/v1/logs` is appended."""
    url = _split(raw)
    return urlunsplit(url._replace(path=url.path.rstrip("/") + LOGS_PATH))


def signal_endpoint(raw: str) -> str:
    """URL as it stands, as OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is meant; no path is the root path."""
    url = _split(raw)
    return urlunsplit(url._replace(path=url.path or "/"))


def full_endpoint(raw: str) -> str:
    """URL of an argument or a file: as it stands, but `/v1/logs` where no path is given."""
    url = _split(raw)
    return urlunsplit(url._replace(path=url.path or LOGS_PATH))


def grpc_endpoint(raw: str) -> str:
    """Scheme, host and port: OTLP/gRPC knows no path. Without a scheme `insecure` decides about TLS.

    Example:
        >>> grpc_endpoint("https://collector:4317/v1/logs"), grpc_endpoint("collector:4317")
        ('https://collector:4317', 'collector:4317')
    """
    scheme, _, _ = raw.strip().rpartition("://")
    url = _split(raw if scheme else f"http://{raw.strip()}")
    if url.username or url.password:
        raise ValueError("holds a user name, which gRPC does not send")
    return f"{url.scheme}://{url.netloc}" if scheme else url.netloc


def web_url(raw: str) -> str:
    """URL as it stands, without user name and password: those belong into a header."""
    url = _split(raw)
    if url.username or url.password:
        raise ValueError("holds a user name, which a webhook does not send")
    return urlunsplit(url)


def _split(raw: str) -> SplitResult:
    raw = raw.strip()
    if any(char.isspace() or not char.isprintable() for char in raw):
        raise ValueError("holds white space or control characters")
    try:
        url = urlsplit(raw)
        _ = url.port  # a property that raises for a port that is none
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in {"http", "https"} or not url.netloc or not url.hostname:
        raise ValueError("is not a URL with http:// or https:// and a host")
    if url.fragment:
        raise ValueError("holds a fragment (#...), which is never sent")
    return url


def mask_url(raw: str) -> str:
    """The URL without user name, password and query values; works on broken URLs too.

    Example:
        >>> mask_url("https://user:pa/ss@host:4318/v1/logs?key=1")
        'https://***@host:4318/v1/logs?***'
    """
    # Up to the last @ of everything: a password may hold any character, a question mark too.
    shown = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", rf"\g<1>{MASK}@", raw, flags=re.DOTALL)
    head, question, _ = shown.partition("?")
    return head + (f"?{MASK}" if question else "")


def mask_path(raw: str) -> str:
    """The URL of a webhook without its path, which is often the credential; works on broken URLs too.

    Example:
        >>> mask_path("https://hooks.example.com/services/T0/B0/x?key=1")
        'https://hooks.example.com/***'
    """
    shown = mask_url(raw).partition("?")[0]
    head, slash, rest = shown.partition("://")
    host, _, path = rest.partition("/") if slash else ("", "", head)
    return f"{head}://{host}/{MASK}" if slash and path else MASK if path else shown


def no_color(_: str) -> str:
    """NO_COLOR: set to anything means no colour (no-color.org)."""
    return "never"


def force_color(_: str) -> str:
    """FORCE_COLOR: set to anything means colour, even into a file (force-color.org)."""
    return "always"
