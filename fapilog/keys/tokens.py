"""Stage 3 of 7, redact: the keys of tokens in use, asked for again meanwhile. Threads: as `held`.

All policies with one provider and one namespace share one native object, so that an exchange reaches
pipelines, redactors of single values and forked children alike.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from fapilog import _native
from fapilog.diagnostics import say
from fapilog.keys.base import AnyProvider, SpoolKeys, UnusableKeysError, ask
from fapilog.keys.held import HeldKeys, provider_of, unusable
from fapilog.plugins import PluginPolicy
from fapilog.settings import RedactionSettings, Settings
from fapilog.settings.key_provider import FILE

SETTING = "redaction.key_provider"
CODE = "token-keys-unusable"

_Place = tuple[Any, str]


class HeldTokens(HeldKeys):
    """The key that makes new tokens, and the thread that asks for it again.

    Args:
        provider: Who gives keys.
        refresh_seconds: Between two questions.
        tell: As `hold` takes it.
        namespace: Of the tokens.

    Raises:
        UnusableKeysError: If it gives none that can be used.
    """

    setting: ClassVar[str] = SETTING
    code: ClassVar[str] = CODE
    method: ClassVar[str] = "token_keys"

    def __init__(
        self,
        provider: AnyProvider,
        refresh_seconds: float,
        tell: Callable[[str, str, str], object],
        namespace: str,
    ) -> None:
        super().__init__(provider, refresh_seconds, tell)
        self.native = _made(self.keys, namespace)
        self.users = 0

    def ask(self) -> SpoolKeys:
        """Return what the provider gives now, with a key for new tokens."""
        return _with_current(super().ask())

    def _hand_over(self) -> None:
        if not self.native.replace(*_current(self.keys)):
            said = "the key of tokens cannot be exchanged in this forked process; start it again"
            self._tell(self.code, said, self.setting)

    def let_go(self) -> None:
        """End the thread when nobody else uses these keys."""
        self.users -= 1
        if self.users > 0:
            return
        for place in [place for place, known in _in_use.items() if known is self]:
            del _in_use[place]
        self.close()


# Written by the configuring thread alone.
_in_use: weakref.WeakValueDictionary[_Place, HeldTokens] = weakref.WeakValueDictionary()


def hold(settings: Settings, tell: Callable[[str, str, str], object]) -> HeldTokens | None:
    """Return the keys that `redaction.key_provider` gives; None without a provider.

    Whoever holds keys that are in use already has them asked for again. `HeldTokens.let_go` ends it.

    Args:
        settings: Validated settings.
        tell: Called with code, message and subject when the provider fails later.

    Raises:
        ConfigurationError: `token-keys-unusable`, or `plugin-unknown`.
    """
    redaction = settings.redaction_in_force
    if redaction.key_provider is None:
        return None
    origin = settings.origin(SETTING)
    held = _in_use.get(_place(redaction))
    try:
        if held is not None:
            held.take(held.ask())
        else:
            provider = provider_of(redaction.key_provider, SETTING, origin, settings.plugins.policy)
            seconds = redaction.key_refresh_seconds
            held = HeldTokens(provider, seconds, tell, redaction.token_namespace)
            _in_use[_place(redaction)] = held
    except UnusableKeysError as error:
        raise unusable(CODE, SETTING, redaction.key_provider, origin, str(error)) from None
    held.users += 1
    _warn(settings)
    return held


def token_keys(redaction: RedactionSettings) -> _native.TokenKeys | None:
    """Return what makes tokens for a policy; None without a provider.

    Keys that a provider of records holds are shared, and change with those; others stay as they are.

    Args:
        redaction: The policy.

    Raises:
        ConfigurationError: `token-keys-unusable`, or `plugin-unknown`.
    """
    given = redaction.key_provider
    if given is None:
        return None
    held = _in_use.get(_place(redaction))
    if held is not None:
        return held.native
    try:
        keys = _with_current(ask(provider_of(given, SETTING, "argument", PluginPolicy()), HeldTokens.method))
        return _made(keys, redaction.token_namespace)
    except UnusableKeysError as error:
        raise unusable(CODE, SETTING, given, "argument", str(error)) from None


def all_tokens(redaction: RedactionSettings, kind: str, value: str) -> dict[int, str]:
    """Return what stands for a value under each key of the provider, the current one first.

    This is how records are found that were written before a change of keys. Whoever can call it can try
    values: keep it where the keys may be.

    Args:
        redaction: A policy with a key provider, and the namespace of the tokens.
        kind: Id of the type, such as `EMAIL`.
        value: In any of its spellings.

    Raises:
        ConfigurationError: `token-keys-unusable`, or `plugin-unknown`.
        ValueError: There is no such type, or no key provider.

    Example:
        >>> policy = RedactionSettings(key_provider=lambda: {2: bytes(32), 1: bytes([1] * 32)})
        >>> sorted(token[:6] for token in all_tokens(policy, "EMAIL", "Ann@example.org").values())
        ['tok_1_', 'tok_2_']
    """
    given = redaction.key_provider
    if given is None:
        raise ValueError(f"{SETTING} is not set")
    try:
        keys = ask(provider_of(given, SETTING, "argument", PluginPolicy()), HeldTokens.method)
    except UnusableKeysError as error:
        raise unusable(CODE, SETTING, given, "argument", str(error)) from None
    ids = sorted(keys.by_id, key=lambda key_id: (key_id != keys.current, key_id))
    space = redaction.token_namespace
    return {key_id: _native.TokenKeys(key_id, keys.by_id[key_id], space).token(kind, value) for key_id in ids}


def _place(redaction: RedactionSettings) -> _Place:
    return redaction.key_provider, redaction.token_namespace


def _made(keys: SpoolKeys, namespace: str) -> _native.TokenKeys:
    return _native.TokenKeys(*_current(keys), namespace)


def _current(keys: SpoolKeys) -> tuple[int, bytes]:
    current: Any = _with_current(keys).current
    return current, keys.by_id[current]


def _with_current(keys: SpoolKeys) -> SpoolKeys:
    if keys.current is None:
        raise UnusableKeysError("no key is the current one; name the one that makes new tokens")
    return keys


def _warn(settings: Settings) -> None:
    """Say that keys and records lie together."""
    directory = next(_around(settings), None)
    if directory is not None:
        said = (
            f"{settings.redaction_in_force.key_provider} lies in one directory tree with records"
            f" ({directory}): keep the keys of tokens where the records are not (GDPR 4(5)), and set"
            f" {SETTING} to that place"
        )
        say("keys-beside-records", said, str(directory))


def _around(settings: Settings) -> Iterator[Path]:
    """Directories with records in one tree with the file of keys."""
    given = settings.redaction_in_force.key_provider
    if not isinstance(given, str) or not given.startswith(f"{FILE}:"):
        return
    keys = Path(given.removeprefix(f"{FILE}:")).resolve().parent
    file, dead = settings.file.path, settings.delivery.dead_letters
    files = (path.parent for path in (file, dead) if path is not None)
    for directory in (*files, settings.spool.directory, settings.ring.directory):
        if directory is None:
            continue
        records = directory.resolve()
        # What lies in the root lies beside everything.
        beside = keys != Path(keys.anchor) and records.is_relative_to(keys)
        if beside or keys.is_relative_to(records):
            yield directory
