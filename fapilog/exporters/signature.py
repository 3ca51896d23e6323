"""How a webhook's body is signed and checked: HMAC-SHA256 over the time and the body. Pure functions.

The header is `X-Fapilog-Signature: t=<unix seconds>,v1=<hex>`, with one `v1` for each secret that signs. What
is signed is `<t>.` and the body as it was sent. Imports nothing of fapilog, so that a receiver may copy this
file.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

SIGNATURE_HEADER = "X-Fapilog-Signature"
BATCH_HEADER = "X-Fapilog-Batch"
TOLERANCE_SECONDS = 300.0


class HidesSecret(Protocol):
    """What hides a secret from `repr`: `SecretStr` and `SecretBytes` of pydantic."""

    def get_secret_value(self) -> str | bytes:
        """Return what it hides."""


Secret = str | bytes | HidesSecret


def sign(body: bytes, secrets: Iterable[str | bytes], unix_seconds: int) -> str:
    """Return the value of the signature header.

    Args:
        body: As it is sent.
        secrets: The current one first; with a second one a receiver may know either.
        unix_seconds: The time of sending.

    Example:
        >>> sign(b"{}", ["secret"], 1_700_000_000)
        't=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163'
    """
    parts = [f"t={unix_seconds}"]
    parts += [f"v1={_digest(secret, str(unix_seconds), body)}" for secret in secrets]
    return ",".join(parts)


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: Secret | Iterable[Secret],
    tolerance_seconds: float = TOLERANCE_SECONDS,
    *,
    now: float | None = None,
) -> bool:
    """Tell whether a request was signed with a secret we know, not long ago. Compares in constant time.

    Args:
        headers: Of the request; names in any case.
        body: The bytes as they arrived, before any parsing.
        secret: The secret as text, bytes, `SecretStr` or `SecretBytes`; or several while it changes.
        tolerance_seconds: How old or how far ahead the signature may be. Default 300.
        now: Unix seconds; None: the clock.

    Returns:
        False for a missing, damaged, wrong or old signature. A request that was seen before passes within the
        tolerance: keep the batch ids (`X-Fapilog-Batch`) if that matters.

    Raises:
        ValueError: If a secret is empty: everybody could sign with it.

    Example:
        >>> headers = {"x-fapilog-signature": sign(b"{}", ["secret"], 1_700_000_000)}
        >>> verify(headers, b"{}", "secret", now=1_700_000_100)
        True
        >>> verify(headers, b"{ }", "secret", now=1_700_000_100)
        False
    """
    value = next((text for name, text in headers.items() if name.lower() == SIGNATURE_HEADER.lower()), "")
    if not isinstance(value, str):
        return False
    fields = [part.strip().partition("=")[::2] for part in value.split(",")]
    times = [text for name, text in fields if name == "t"]
    if len(times) != 1 or not _is_decimal(times[0]):
        return False
    now = time.time() if now is None else now
    known = [_revealed(one) for one in _listed(secret)]
    if not all(known):
        raise ValueError("the secret is empty")
    given = [text.encode("utf-8", "replace") for name, text in fields if name == "v1"]
    matches = False
    for one in known:
        wanted = _digest(one, times[0], body).encode("ascii")
        for signature in given:  # no early end: time must not tell which one matched
            matches |= hmac.compare_digest(wanted, signature)
    return matches and abs(now - int(times[0])) <= tolerance_seconds


def _listed(secret: Any) -> list[Secret]:
    is_one = isinstance(secret, (str, bytes)) or hasattr(secret, "get_secret_value")
    return [secret] if is_one else list(secret)


def _revealed(secret: Secret) -> str | bytes:
    return secret if isinstance(secret, (str, bytes)) else secret.get_secret_value()


def _digest(secret: str | bytes, seconds: str, body: bytes) -> str:
    key = secret.encode("utf-8") if isinstance(secret, str) else secret
    return hmac.new(key, f"{seconds}.".encode("ascii") + body, hashlib.sha256).hexdigest()


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 15
