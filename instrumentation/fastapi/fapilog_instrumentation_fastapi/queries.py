"""Query strings without the values of secrets, in every mode of redaction. Thread: caller.

With `redaction="keys"`, the default, the pipeline hides values under secret names, but a query string is one
value. So it is taken apart here, and each parameter is judged by its name as an attribute would be.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fapilog import LoggerProvider, current_telemetry
from fapilog.redaction import Redactor
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
_HIDDEN = b"[REDACTED:secret]"
# More than any form has; to judge names takes time.
_MOST_PARAMETERS = 1_000


class Queries:
    """Hides the values of secret parameters.

    Args:
        provider: Whose policy says which names are secret; None: the one of the process at the first query.

    Example:
        >>> queries = Queries()
        >>> queries.shown(b"page=2&password=hunter2&sig=abc"), queries.shown(b"page=2")
        ('page=2&password=[REDACTED:secret]&sig=[REDACTED:secret]', 'page=2')
    """

    __slots__ = ("_known", "_provider", "_redactor")

    def __init__(self, provider: LoggerProvider | None = None) -> None:
        self._provider = provider
        self._redactor: Redactor | None = None
        self._known: dict[bytes, bool] = {}

    def shown(self, query: bytes) -> str:
        """Return a query string as it may stand in a record; what is percent-encoded stays so.

        Behind 1,000 parameters nothing is shown.
        """
        parts, is_changed = query.split(b"&", _MOST_PARAMETERS), False
        if len(parts) > _MOST_PARAMETERS:
            parts[_MOST_PARAMETERS] = _HIDDEN
            is_changed = True
        for place, part in enumerate(parts):
            name, equals, _ = part.partition(b"=")
            secret = self._known.get(name)
            if secret is None:
                secret = self._judged(name)
            if secret and equals:
                parts[place] = name + equals + _HIDDEN
                is_changed = True
        return (b"&".join(parts) if is_changed else query).decode("latin-1")

    def _judged(self, name: bytes) -> bool:
        """Whether a parameter of this name is a secret; remembered."""
        if self._redactor is None:
            provider = self._provider
            if provider is None and (telemetry := current_telemetry()) is not None:
                provider = telemetry.logger_provider
            self._redactor = Redactor(None if provider is None else provider.settings.redaction_in_force)
        text = unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace").strip()
        secret = (
            len(name) > LONGEST
            or text.lower() in PARAMETERS
            or self._redactor.attributes({text: "value"}) != {text: "value"}
        )
        remember(self._known, name, secret, len(name))
        return secret
