"""The settings `spool.key_provider` and `redaction.key_provider`: where keys come from; not the keys.

An object is wrapped, so that nothing that shows settings shows what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from fapilog.settings.types import refuse

# What `env` alone means. It holds keys, so it is no setting.
KEY_VARIABLE = "FAPILOG_SPOOL_KEY"
TOKEN_KEY_VARIABLE = "FAPILOG_TOKEN_KEY"  # noqa: S105  # nosec B105 - a name
ENVIRONMENT, FILE = "env", "file"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HINT = (
    f"{ENVIRONMENT}:NAME of a variable, {FILE}:/path of a file, the name of a plugin, a function that returns"
    " keys, or an object with the method `{}`"
)


class GivenKeyProvider:
    """A provider that was given as an object.

    Args:
        provider: A function, or an object with the method `spool_keys` or `token_keys`.
    """

    __slots__ = ("provider",)

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def compact(self) -> str:
        """How settings show it: by its type alone."""
        return f"<{type(self.provider).__name__}>"

    def __repr__(self) -> str:
        return self.compact()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenKeyProvider) and other.provider == self.provider

    def __hash__(self) -> int:
        return hash((GivenKeyProvider, id(self.provider)))


def _check(method: str, variable: str) -> BeforeValidator:
    """What a setting of providers takes: objects with this method; `env` alone means this variable."""
    hint = _HINT.format(method)

    def checked(value: object) -> object:
        if isinstance(value, GivenKeyProvider):
            return value
        if isinstance(value, str):
            return _named(value.strip(), variable, hint)
        is_provider = callable(value) or callable(getattr(value, method, None))
        if not is_provider or isinstance(value, (type, Mapping)):
            raise refuse("gives no keys", hint)
        return GivenKeyProvider(value)

    return BeforeValidator(checked)


def _named(name: str, variable: str, hint: str) -> str:
    kind, colon, rest = name.partition(":")
    if kind == ENVIRONMENT and not colon:
        return f"{ENVIRONMENT}:{variable}"
    if kind == ENVIRONMENT and _VARIABLE.fullmatch(rest):
        return name
    if kind == FILE and rest.startswith("/"):
        return name
    # What is left is the name of a plugin, and must not be a key that was put into the wrong variable.
    if re.fullmatch(r"[a-z][a-z0-9_.-]{0,31}", name) and name != FILE:
        return name
    raise refuse("names no key provider", hint)


KeyProviderSetting = Annotated[Any, _check("spool_keys", KEY_VARIABLE)]
TokenKeyProviderSetting = Annotated[Any, _check("token_keys", TOKEN_KEY_VARIABLE)]
