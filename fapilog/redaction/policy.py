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
    "accesstokens",
    "adminpass",
    "apikey",
    "apikeys",
    "apitokens",
    "authkey",
    "authpass",
    "authtoken",
    "authtokens",
    "basicauth",
    "bearer",
    "connectionstring",
    "connectsid",
    "cred",
    "creds",
    "csrftoken",
    "databasepass",
    "dbpass",
    "emailpass",
    "encryptionkey",
    "ftppass",
    "hostpass",
    "httpauth",
    "jwt",
    "ldappass",
    "loginpass",
    "mailpass",
    "mysqlpass",
    "otp",
    "passcode",
    "pgpass",
    "pin",
    "pincode",
    "postgrespass",
    "proxyauth",
    "proxypass",
    "pw",
    "redispass",
    "refreshtokens",
    "rootpass",
    "sessid",
    "sessionid",
    "sessionkey",
    "sessionsid",
    "signingkey",
    "smtppass",
    "sshpass",
    "sudopass",
    "token",
    "totp",
    "userpass",
)
# The whole key: as a part of one they say little. `pass` is secret, `first_pass` and `pass_count` are not.
_WHOLE = (
    "auth",
    "pass",
    "sid",
    "tokens",
)
# In just this spelling no secret: OpenTelemetry's conventions have it to tell visits apart.
_KEPT = ("session.id",)


@dataclass(frozen=True)
class Policy:
    """Words that make a key secret.

    Attributes:
        anywhere: Words that do so wherever they stand in the key.
        last: Words, or neighbouring words joined, that do so at its end.
        exact: Whole names, compared without case and separators.
        kept: Names that are no secret in just this spelling, unless they are in `exact`.
    """

    anywhere: tuple[str, ...]
    last: tuple[str, ...]
    exact: tuple[str, ...]
    kept: tuple[str, ...] = ()


def default_policy(secret_keys: Iterable[str] = ()) -> Policy:
    """Return the policy that applies without a word of configuration.

    Args:
        secret_keys: Further names (`FAPILOG_SECRET_KEYS`).

    Example:
        >>> default_policy(["patient_number"]).exact[-1]
        'patient_number'
    """
    return Policy(_ANYWHERE, _LAST, (*_WHOLE, *secret_keys), _KEPT)
