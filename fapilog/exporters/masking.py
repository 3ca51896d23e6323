"""Stage 6 of 7, export: texts of others that may repeat a secret, made fit to be shown. Pure functions.

A server repeats what it was sent, and an exception quotes what failed. Both are shown on stderr.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
# Shorter texts are words of any answer: hiding them would say nothing and cost the message.
SHORTEST_SECRET = 6
# Of a URL the place is shown, nothing behind it. What follows such a name is hidden whatever it is, and so is
# what looks made by a machine: long, or with digits among letters.
_SUSPECT = re.compile(
    r"(?P<place>\b[a-z][a-z0-9+.-]*://)[^\s'\"<>]*[^\s'\"<>:;,]"
    r"|(?P<name>\b(?:\w*(?:passw\w*|passphrase|secret|token|api_?key|credential|authorization|cookie|session)\w*"
    r"['\"]?\s*[:=]\s*|bearer\s+|basic\s+))(?:(?:bearer|basic)\s+)?[^\s,;]+"
    r"|(?P<word>[\w+/.~%-]{6,}=*)",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[\W_]*[A-Za-z]{0,24}(?:[\W_]+[A-Za-z]{1,24})*[\W_]*|[\d.:/-]+")


def without_secrets(text: str) -> str:
    """Hide what may be a secret in the text of somebody else's error.

    Example:
        >>> without_secrets("401 for https://u:p@auth.example/t?k=v: token='abc' is Bearer x")
        '401 for https://auth.example/***: token=*** is Bearer ***'
    """
    return _SUSPECT.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    if found["place"]:
        host = re.split(r"[/?#]", found[0][len(found["place"]) :])[0].rpartition("@")[2]
        return f"{found['place']}{host}/{HIDDEN}"
    if found["name"]:
        return f"{found['name']}{HIDDEN}"
    return found[0] if _PLAIN.fullmatch(found[0]) else HIDDEN


def sent_secrets(url: str, headers: Iterable[str]) -> tuple[str, ...]:
    """Return what a server must not repeat to people: parts of path and query, and values of headers.

    Each as it is and decoded, longest first. Of a value such as `Bearer x` the second word is a secret of its
    own. `native/src/export/http/echo.rs` is the same for the native exporter.
    """
    parts = urlsplit(url)
    found = {*parts.path.split("/"), *re.split("[&=]", parts.query)}
    for value in headers:
        found |= {value, *value.split()[1:]}
    found |= {unquote(each) for each in found}
    return tuple(sorted((each for each in found if len(each) >= SHORTEST_SECRET), key=len, reverse=True))


def without(text: str, secrets: Iterable[str]) -> str:
    """Hide these texts, the longest first."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
