"""Stage 6 of 7, export: keys in use, asked for again meanwhile. Threads: key watcher (`fapilog-keys`).

A provider that fails later changes nothing: the keys from before stay, and it is said once until it answers.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from fapilog.errors import MASK, ConfigurationError, OffendingSetting, Problem
from fapilog.keys.base import AnyProvider, SpoolKeys, UnusableKeysError, ask
from fapilog.keys.built_in import EnvironmentKeys, FileKeys
from fapilog.plugins import KEY_PROVIDERS, PluginPolicy, Plugins
from fapilog.settings import Settings
from fapilog.settings.key_provider import ENVIRONMENT, FILE, GivenKeyProvider

SETTING = "spool.key_provider"
CODE = "spool-keys-unusable"


class TakesKeys(Protocol):
    """What a pipeline has for keys."""

    def set_spool_keys(self, keys: tuple[int | None, dict[int, bytes]], /) -> None:
        """Use these from now on."""


def held(settings: Settings, tell: Callable[[str, str, str], object]) -> HeldKeys | None:
    """Return the keys that `spool.key_provider` gives; None without a provider or without a spool.

    Args:
        settings: Validated settings.
        tell: Called with code, message and subject when the provider fails later.

    Raises:
        ConfigurationError: `spool-keys-unusable`, or `plugin-unknown`.
    """
    given = settings.spool.key_provider
    if given is None or settings.spool.directory is None:
        return None
    origin = settings.origin(SETTING)
    try:
        provider = provider_of(given, SETTING, origin, settings.plugins.policy)
        return HeldKeys(provider, settings.spool.key_refresh_seconds, tell)
    except UnusableKeysError as error:
        raise unusable(CODE, SETTING, given, origin, str(error)) from None


class HeldKeys:
    """The keys in use, and the thread that asks for them again.

    Args:
        provider: Who gives them.
        refresh_seconds: Between two questions.
        tell: As `held` takes it.

    Raises:
        UnusableKeysError: If it gives none that can be used.
    """

    # What keys are for: the setting that names the provider, the code of failures, what it is asked by.
    setting: ClassVar[str] = SETTING
    code: ClassVar[str] = CODE
    method: ClassVar[str] = "spool_keys"

    def __init__(
        self,
        provider: AnyProvider,
        refresh_seconds: float,
        tell: Callable[[str, str, str], object],
    ) -> None:
        self._provider = provider
        self._refresh_seconds = refresh_seconds
        self._tell = tell
        self._lock = threading.Lock()
        self._pipelines: Sequence[TakesKeys] = ()
        self._failing = False
        self._configured_in = self._watched_in = os.getpid()
        self._stop: threading.Event | None = None
        self.keys = self.ask()

    def watch(self, pipelines: Sequence[TakesKeys]) -> None:
        """Keep the keys of these pipelines fresh; in a forked child, anew and at once.

        Args:
            pipelines: A list that may grow.
        """
        if self._stop is not None and self._watched_in == os.getpid():
            return
        self._pipelines, self._watched_in, self._lock = pipelines, os.getpid(), threading.Lock()
        stop = self._stop = threading.Event()
        # Whoever lets go of the keys ends the thread.
        this = weakref.ref(self, lambda _: stop.set())
        first = self._refresh_seconds
        if self._watched_in != self._configured_in:
            # A child's pipelines begin with the keys of the configuration.
            first = 0.0
            self._hand_over()
        arguments = (this, stop, first, self._refresh_seconds)
        threading.Thread(target=_watch, args=arguments, name="fapilog-keys", daemon=True).start()

    def refresh(self) -> None:
        """Ask the provider, and hand the keys to the pipelines if they are others."""
        try:
            keys = self.ask()
        except UnusableKeysError as error:
            if not self._failing:
                said = f"{self.setting} gave no keys: {error}; those from before stay in use"
                self._tell(self.code, said, self.setting)
            self._failing = True
            return
        self.take(keys)

    def ask(self) -> SpoolKeys:
        """Return what the provider gives now.

        Raises:
            UnusableKeysError: If it gives none that can be used.
        """
        return ask(self._provider, self.method)

    def take(self, keys: SpoolKeys) -> None:
        """Hand these keys to the pipelines, if they are others."""
        with self._lock:
            self._failing = False
            if keys == self.keys:
                return
            self.keys = keys
            self._hand_over()

    def _hand_over(self) -> None:
        for pipeline in tuple(self._pipelines):
            pipeline.set_spool_keys(self.keys.native())

    def close(self) -> None:
        """End the thread."""
        if self._stop is not None:
            self._stop.set()


def _watch(this: weakref.ref[HeldKeys], stop: threading.Event, first: float, seconds: float) -> None:
    wait = first
    while not stop.wait(wait):
        held_keys = this()
        if held_keys is None:
            return
        held_keys.refresh()
        del held_keys
        wait = seconds


def provider_of(
    given: str | GivenKeyProvider, setting: str, origin: str, policy: PluginPolicy
) -> AnyProvider:
    """Return what a setting names.

    Args:
        given: The value of the setting.
        setting: Its name.
        origin: Where the value comes from.
        policy: Which plugins may be used.

    Raises:
        ConfigurationError: `plugin-unknown`.
        UnusableKeysError: A plugin that cannot be used.
    """
    if isinstance(given, GivenKeyProvider):
        provider: AnyProvider = given.provider
        return provider
    kind, _, rest = given.partition(":")
    if kind == ENVIRONMENT:
        return EnvironmentKeys(rest)
    if kind == FILE:
        return FileKeys(Path(rest))
    made = Plugins(policy).make(KEY_PROVIDERS, given, setting, origin)
    if made is None:
        # A spool without encryption, or a value without its token, is not what was asked for.
        raise UnusableKeysError(f"the plugin {given} cannot be used")
    plugin: AnyProvider = made
    return plugin


def unusable(
    code: str, setting: str, given: str | GivenKeyProvider, origin: str, clause: str
) -> ConfigurationError:
    """Make the error about a provider without keys; behind a semicolon the clause says what to do."""
    what, _, do = clause.partition("; ")
    remedy = do or "see that the key provider can give keys to this process"
    shown = given if isinstance(given, str) else MASK
    offending = OffendingSetting(setting, shown, origin, remedy)
    return ConfigurationError([Problem(code, f"{setting} gives no keys: {what}", (offending,), remedy)])
