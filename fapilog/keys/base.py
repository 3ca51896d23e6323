"""Stage 6 of 7, export: keys, of the spool and of tokens, and what gives them. Threads: as `held`.

A key never appears in a message, a `repr` or a setting: only its id does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

KEY_BYTES = 32
_LARGEST_ID = 2**32 - 1


class UnusableKeysError(ValueError):
    """Keys that cannot be used: a clause that says why, without any of them."""


class SpoolKeys:
    """Keys by id, and which of them encrypts new records.

    An id names one key for ever: it stands beside each block on disk. The other keys still read what they
    encrypted.

    Args:
        by_id: Keys of 32 random bytes each, by ids from 1 to 4 294 967 295.
        current: Id of the key that encrypts from now on; None: nothing is encrypted any more.

    Raises:
        UnusableKeysError: If an id or a key cannot be used; a `ValueError`.

    Example:
        >>> SpoolKeys({2: bytes(32), 1: bytes(32)}, current=2)
        SpoolKeys(current=2, ids=[1, 2])
    """

    __slots__ = ("by_id", "current")

    by_id: Mapping[int, bytes]
    current: int | None

    def __init__(self, by_id: Mapping[int, bytes], current: int | None) -> None:
        for key_id, key in by_id.items():
            _check(key_id, key)
        if current is not None and current not in by_id:
            raise UnusableKeysError(f"the current key {current!r} is not among the keys")
        object.__setattr__(self, "by_id", MappingProxyType({i: bytes(key) for i, key in by_id.items()}))
        object.__setattr__(self, "current", current)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("keys are frozen; make new ones")

    def __repr__(self) -> str:
        return f"SpoolKeys(current={self.current}, ids={sorted(self.by_id)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpoolKeys):
            return NotImplemented
        return (self.current, dict(self.by_id)) == (other.current, dict(other.by_id))

    def __hash__(self) -> int:
        return hash((self.current, *sorted(self.by_id)))

    def __reduce__(self) -> Any:
        raise TypeError("keys are not pickled")

    def native(self) -> tuple[int | None, dict[int, bytes]]:
        """Return what the native side takes."""
        return self.current, dict(self.by_id)


@runtime_checkable
class KeyProvider(Protocol):
    """Gives the keys of the spool (`spool.key_provider`).

    It is asked when fapilog is configured, and then every `spool.key_refresh_seconds`, on a thread of its
    own. What it raises at the start is a `ConfigurationError`; later it is said once, and the keys from
    before stay in use.

    Example:
        >>> import secrets
        >>> class FromVault:
        ...     def spool_keys(self) -> SpoolKeys:
        ...         return SpoolKeys({1: secrets.token_bytes(32)}, current=1)
        >>> isinstance(FromVault(), KeyProvider)
        True
    """

    def spool_keys(self) -> SpoolKeys:
        """Return every key that may be needed to read, and which encrypts."""


KeyFunction = Callable[[], SpoolKeys | Mapping[int, bytes]]
"""A function as provider. Of a mapping the first key is the current one."""


@runtime_checkable
class TokenKeyProvider(Protocol):
    """Gives the keys of tokens (`redaction.key_provider`), as `KeyProvider` gives those of the spool.

    New tokens are made with the current key; the others are for those who look old tokens up.

    Example:
        >>> import secrets
        >>> class FromVault:
        ...     def token_keys(self) -> SpoolKeys:
        ...         return SpoolKeys({1: secrets.token_bytes(32)}, current=1)
        >>> isinstance(FromVault(), TokenKeyProvider)
        True
    """

    def token_keys(self) -> SpoolKeys | Mapping[int, bytes]:
        """Return every key, and which makes new tokens."""


AnyProvider = KeyProvider | TokenKeyProvider | KeyFunction


def ask(provider: AnyProvider, method: str = "spool_keys") -> SpoolKeys:
    """Return what a provider gives, checked.

    Args:
        provider: A function, or an object with the method.
        method: What an object is asked by.

    Raises:
        UnusableKeysError: What is wrong, as a clause without any key.
    """
    function: Any = getattr(provider, method, provider)
    failure = ""
    try:
        given = function()
    except UnusableKeysError:
        raise
    except Exception as error:
        failure = type(error).__name__
    if failure:
        # Out here, so that no traceback leads to the error: its text may hold a key.
        raise UnusableKeysError(f"it raised {failure}")
    if isinstance(given, SpoolKeys):
        return given
    if not isinstance(given, Mapping):
        raise UnusableKeysError(f"it returned a {type(given).__name__}, not keys by their ids")
    return first_is_current(given)


def first_is_current(keys: Mapping[int, bytes]) -> SpoolKeys:
    """Return these keys, the first of which encrypts.

    Raises:
        UnusableKeysError: If there is none, or one cannot be used.
    """
    if not keys:
        raise UnusableKeysError("there is no key")
    return SpoolKeys(keys, current=next(iter(keys)))


def _check(key_id: object, key: object) -> None:
    if not isinstance(key_id, int) or isinstance(key_id, bool) or not 1 <= key_id <= _LARGEST_ID:
        raise UnusableKeysError("an id is not a whole number from 1 to 4294967295")
    if not isinstance(key, (bytes, bytearray)):
        raise UnusableKeysError(f"key {key_id} is a {type(key).__name__}, not bytes")
    if len(key) != KEY_BYTES:
        raise UnusableKeysError(f"key {key_id} has {len(key)} bytes instead of {KEY_BYTES}")
