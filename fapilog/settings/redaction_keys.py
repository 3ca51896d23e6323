"""Settings of stage 3 for actions with a key, `token` and `seal`: where keys come from, no secret one."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from fapilog.settings.key_provider import TOKEN_KEY_VARIABLE, TokenKeyProviderSetting
from fapilog.settings.types import Group, Positive, conflict, refuse

PUBLIC_BYTES = 32
# DER of an X25519 public key up to its 32 bytes (RFC 8410).
_PUBLIC_DER = bytes.fromhex("302a300506032b656e032100")
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9+/_-]{43}=?")
_MOST_BYTES = 4_096
_HINT = "a public key of `fapilog seal new-key`: PEM, 32 bytes in base64, or the path of a file with it"
_NAMESPACE = re.compile(r"[^\x00-\x1f\x7f]{0,64}")


def _sealing_key(value: object) -> object:
    """The public key in one form: 32 bytes in base64, so that every spelling is one value."""
    if not isinstance(value, (str, Path)):
        return value
    text = str(value).strip()
    path = text.removeprefix("file:")
    # Base64 may begin with a slash too.
    if path != text or (path.startswith("/") and (Path(path).is_file() or not _BARE.fullmatch(path))):
        text = _content(Path(path))
    if "PRIVATE" in text:
        clause = "is a private key: whoever writes records must not be able to open them"
        raise refuse(clause, _HINT)
    return base64.b64encode(_public_bytes(text)).decode()


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise refuse("names a file that cannot be read, or is no text", _HINT) from None


def _public_bytes(text: str) -> bytes:
    pem = _PEM.search(text)
    written = "".join((pem[1] if pem else text).split())
    padded = written.rstrip("=") + "=" * (-len(written.rstrip("=")) % 4)
    try:
        key = base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise refuse("is no public key", _HINT) from None
    if key.startswith(_PUBLIC_DER):
        key = key.removeprefix(_PUBLIC_DER)
    if len(key) != PUBLIC_BYTES:
        raise refuse("is no public key for X25519", _HINT)
    return key


def _namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value):
        raise refuse("is not a short name", "up to 64 characters, such as the name of a tenant")
    return value


class RedactionKeySettings(Group):
    """Stage 3: keys of the actions `token` and `seal`."""

    key_provider: TokenKeyProviderSetting | None = Field(
        None,
        description="What gives the keys of `token`: `env:NAME` of a variable, `file:/path`, the name of a"
        " plugin, or an argument: a function or an object with the method `token_keys`.",
    )
    key_refresh_seconds: Positive = Field(
        60, description="How often the key provider is asked again, so that new keys need no restart."
    )
    token_namespace: Annotated[str, AfterValidator(_namespace)] = Field(
        "",
        description="Tokens of two namespaces do not join, also with one key: the name of a tenant, or of a"
        " purpose.",
    )
    seal_to: Annotated[str | None, BeforeValidator(_sealing_key)] = Field(
        None,
        description="The public key that `seal` encrypts to (`fapilog seal new-key`): PEM, base64, or the"
        " path of a file. The process cannot open what it sealed.",
    )

    def seal_key(self) -> bytes | None:
        """Return the public key of `seal`, if there is one."""
        return None if self.seal_to is None else base64.b64decode(self.seal_to)


def missing_key(name: str, keys: RedactionKeySettings) -> PydanticCustomError | None:
    """Return the error about an action without its key; None: it has one, or needs none.

    Args:
        name: Of an action.
        keys: What is set.
    """
    if name == "token" and keys.key_provider is None:
        return conflict(
            "token-without-key",
            "the action token needs a key",
            "set redaction.key_provider (FAPILOG_REDACTION_KEY_PROVIDER), for example to env, which reads"
            f" {TOKEN_KEY_VARIABLE}",
        )
    if name == "seal" and keys.seal_to is None:
        return conflict(
            "seal-without-key",
            "the action seal needs a public key",
            "make one with `fapilog seal new-key` and set redaction.seal_to (FAPILOG_SEAL_TO)",
        )
    return None
