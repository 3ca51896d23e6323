"""Which keys name a secret. The native engine decides once per key, by words, in any spelling of the key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# A key with one of these words is secret wherever it stands: `old_password_hash`, `Proxy-Authorization`.
_ANYWHERE = (
    "authorization",
    "cookie",
    "cookies",
    "cvc",
    "cvv",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "secret",
    "secrets",
)
# Only at the end of the key, words joined: `api_key` and `X-Auth-Token` are secret, `token_count` is not.
_LAST = (
    "accesskey",
    "accesstoken",
    "apikey",
    "apikeys",
    "authkey",
    "authtoken",
    "bearer",
    "connectionstring",
    "csrftoken",
    "encryptionkey",
    "jwt",
    "passcode",
    "pin",
    "sessionkey",
    "signingkey",
    "token",
)


@dataclass(frozen=True)
class Policy:
    """Words that make a key secret.

    Attributes:
        anywhere: Words that do so wherever they stand in the key.
        last: Words, or neighbouring words joined, that do so at its end.
        exact: Whole names, compared without case and separators.
    """

    anywhere: tuple[str, ...]
    last: tuple[str, ...]
    exact: tuple[str, ...]


def default_policy(secret_keys: Iterable[str] = ()) -> Policy:
    """Return the policy that applies without a word of configuration.

    Args:
        secret_keys: Further names (`FAPILOG_SECRET_KEYS`).

    Example:
        >>> default_policy(["patient_number"]).exact
        ('patient_number',)
    """
    return Policy(_ANYWHERE, _LAST, tuple(secret_keys))
