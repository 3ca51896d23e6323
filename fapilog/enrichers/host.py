"""Built-in enricher `host`: attributes of the resource that tell the machine (semantic conventions)."""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping
from types import MappingProxyType

from fapilog.enrichers.base import Source
from fapilog.settings import Settings

# Machine names of operating systems: the words of `host.arch`.
_ARCHITECTURES: Mapping[str, str] = MappingProxyType(
    {
        "x86_64": "amd64",
        "amd64": "amd64",
        "aarch64": "arm64",
        "arm64": "arm64",
        "armv7l": "arm32",
        "armv6l": "arm32",
        "i386": "x86",
        "i686": "x86",
        "ia64": "ia64",
        "ppc": "ppc32",
        "ppc64": "ppc64",
        "ppc64le": "ppc64",
        "s390x": "s390x",
    }
)


def source(_settings: Settings) -> Source:
    """Make the enricher."""
    return Source("host", describe=attributes)


def attributes() -> dict[str, str]:
    """Return the name and kind of this machine.

    Example:
        >>> sorted(attributes())
        ['host.arch', 'host.name', 'os.type']
    """
    return {
        "host.name": socket.gethostname(),
        "host.arch": architecture(platform.machine()),
        "os.type": platform.system().lower(),
    }


def architecture(machine: str) -> str:
    """Return the word of the semantic conventions for a machine name; an unknown one as it is.

    Example:
        >>> architecture("x86_64")
        'amd64'
    """
    return _ARCHITECTURES.get(machine.lower(), machine.lower())
