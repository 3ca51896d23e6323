"""Query strings without the values of secrets, in every mode of redaction. Thread: caller.

With `redaction="keys"`, the default, the pipeline hides values under secret names, but a query string is one
value. So it is taken apart here, and each parameter is judged by its name as an attribute would be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from fapilog_instrumentation_fastapi.policy import Policy
from fapilog_instrumentation_fastapi.remembering import LONGEST, remember

# HTTP semantic conventions, `url.query`, and what OAuth passes: the names that the scanner knows in queries.
PARAMETERS = frozenset(
    [
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-goog-credential",
        "googleaccessid",
        "key-pair-id",
        "token",
        "access_token",
        "refresh_token",
        "id_token",
        "auth_token",
        "session_token",
        "api_key",
        "apikey",
        "key",
        "password",
        "passwd",
        "pwd",
        "pass",
        "secret",
        "client_secret",
        "code",
        "code_verifier",
        "assertion",
        "ticket",
        "otp",
        "auth",
        "jwt",
        "sas",
        "se_sig",
        "hash_key",
    ]
)
HIDDEN = "[REDACTED:secret]"
_HIDDEN = HIDDEN.encode()
_NONE: Mapping[str, str] = {}
# The beginning of a parameter in a URL, in a part of one, or in a text that has one; and a value.
_NAME = re.compile(r"(?:^|[?&#\s])([^\s?&=#/:]+)=")
_VALUE = re.compile(r"[^\s&#]*")
# More than any form has; to judge names takes time. Native code (`access.rs`) shows as many.
_MOST_PARAMETERS = 1_000


class Queries:
    """Hides the values of secret parameters.

    Args:
        policy: Says which names are secret; of each name once. Default: the one of the process.

    Attributes:
        judged: Names of parameters as they were sent, and whether they are secrets.

    Example:
        >>> queries = Queries()
        >>> queries.shown(b"page=2&password=hunter2&sig=abc"), queries.shown(b"page=2")
        ('page=2&password=[REDACTED:secret]&sig=[REDACTED:secret]', 'page=2')
    """

    __slots__ = ("_policy", "_secrets", "judged")

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = Policy() if policy is None else policy
        self.judged: dict[bytes, bool] = {}
        self._secrets: dict[str, bool] = {}

    def shown(self, query: bytes, marked: Mapping[str, str] = _NONE) -> str:
        """Return a query string as it may stand in a record; what is percent-encoded stays so.

        Behind 1,000 parameters nothing is shown.

        Args:
            query: As it was sent.
            marked: Further names, each with what stands for its values.
        """
        parts, is_changed = query.split(b"&", _MOST_PARAMETERS), False
        if len(parts) > _MOST_PARAMETERS:
            parts[_MOST_PARAMETERS] = _HIDDEN
            is_changed = True
        for place, part in enumerate(parts):
            name, equals, _ = part.partition(b"=")
            secret = self.judged.get(name)
            if secret is None:
                secret = self._judged(name)
            if secret and equals:
                parts[place] = name + equals + _HIDDEN
                is_changed = True
            elif marked and equals and (marker := marked.get(_plain(name))) is not None:
                parts[place] = name + equals + marker.encode()
                is_changed = True
        return (b"&".join(parts) if is_changed else query).decode("latin-1")

    def shown_in(self, text: str, marked: Mapping[str, str] = _NONE) -> str:
        """Return a URL, a part of one or a text that holds one without the values of secret parameters.

        Behind 1,000 parameters nothing is shown.

        Example:
            >>> Queries().shown_in("https://shop.example/a?next=/b?token=t-1#id_token=i-1")
            'https://shop.example/a?next=/b?token=[REDACTED:secret]#id_token=[REDACTED:secret]'
        """
        kept: list[str] = []
        done = place = 0
        left = _MOST_PARAMETERS
        while (found := _NAME.search(text, place)) is not None:
            place = found.end()
            left -= 1
            if left < 0:
                return "".join(kept) + text[done:place] + HIDDEN
            name = found.group(1).encode("utf-8", "surrogatepass")
            secret = self.judged.get(name)
            marker = (
                HIDDEN if (self._judged(name) if secret is None else secret) else marked.get(_plain(name))
            )
            if marker is not None:
                kept += [text[done:place], marker]
                value = _VALUE.match(text, place)
                done = place = value.end() if value is not None else place
        return "".join(kept) + text[done:] if kept else text

    def is_secret(self, name: str) -> bool:
        """Tell whether the policy takes an attribute of this name for a secret; names of our routes alone."""
        known = self._secrets.get(name)
        if known is None:
            known = self._secrets[name] = self._by_policy(name)
        return known

    def _judged(self, name: bytes) -> bool:
        """Whether a parameter of this name is a secret; remembered."""
        text = _plain(name)
        secret = len(name) > LONGEST or text.lower() in PARAMETERS or self._by_policy(text)
        remember(self.judged, name, secret, len(name))
        return secret

    def _by_policy(self, name: str) -> bool:
        return self._policy.redactor.attributes({name: "value"}) != {name: "value"}


def _plain(name: bytes) -> str:
    return unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace").strip()
