"""The catalogue that comes with fapilog: packages with plugins, as a data file."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple


class Listed(NamedTuple):
    """One package of the catalogue.

    Attributes:
        name: Of the distribution.
        plugins: Kind and name of each plugin.
        summary: One sentence.
        words: What people may look for.
        ours: Whether it comes from the makers of fapilog.
    """

    name: str
    plugins: tuple[str, ...]
    summary: str
    words: tuple[str, ...]
    ours: bool


@lru_cache(maxsize=1)
def catalogue() -> tuple[Listed, ...]:
    """Return the packages, in the order of the file."""
    text = (files(__package__) / "catalogue.toml").read_text("utf-8")
    return tuple(
        Listed(each["name"], tuple(each["plugins"]), each["summary"], tuple(each["words"]), each["ours"])
        for each in tomllib.loads(text)["package"]
    )


def named(name: str) -> tuple[Listed, ...]:
    """Return the packages of that name, or with a plugin of that name.

    Example:
        >>> [each.name for each in named("splunk_hec")]
        ['fapilog-exporter-splunk']
    """
    return tuple(
        each
        for each in catalogue()
        if name == each.name or name in (plugin.rpartition(" ")[2] for plugin in each.plugins)
    )


def search(words: str) -> tuple[Listed, ...]:
    """Return the packages in which each of the words stands somewhere; all of them, without a word.

    Example:
        >>> [each.name for each in search("splunk")]
        ['fapilog-exporter-splunk']
    """
    wanted = words.lower().split()

    def text(each: Listed) -> str:
        return " ".join((each.name, *each.plugins, each.summary, *each.words)).lower()

    return tuple(each for each in catalogue() if all(word in text(each) for word in wanted))
