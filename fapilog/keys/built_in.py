"""Stage 6 of 7, export: keys from a variable or a file. Threads: the configuring one, key watcher.

Both are read again each time they are asked, so that a key that is added is used without a restart.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from fapilog.keys.base import KEY_BYTES, SpoolKeys, UnusableKeysError, first_is_current

# Nobody but the owner may write, and nobody outside of the group may read: a secret volume of Kubernetes with
# `fsGroup` is readable for its group.
_TOO_OPEN = 0o027
_MOST_BYTES = 65_536
_FORM = "give id:key, the key being 32 random bytes in base64 or hexadecimal digits"


class EnvironmentKeys:
    """Keys in a variable: `id:key`, several separated by commas or spaces, the current one first.

    Args:
        name: Of the variable.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def spool_keys(self) -> SpoolKeys:
        """Return the keys that the variable holds now."""
        return self.token_keys()

    def token_keys(self) -> SpoolKeys:
        """Return the keys that the variable holds now."""
        raw = os.environ.get(self._name, "")
        if not raw.strip():
            raise UnusableKeysError(f"the variable {self._name} is not set")
        return _parsed(re.split(r"[,\s]+", raw.strip()))


class FileKeys:
    """Keys in a file: `id:key` in each line, the current one first. `#` begins a comment.

    Args:
        path: Its owner is this user or root, and others may not read it: mode 0600, 0400 or 0440.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def spool_keys(self) -> SpoolKeys:
        """Return the keys that the file holds now."""
        return self.token_keys()

    def token_keys(self) -> SpoolKeys:
        """Return the keys that the file holds now."""
        try:
            content = self._read()
        except OSError as error:
            raise UnusableKeysError(f"{self._path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UnusableKeysError(f"{self._path} is not text") from None
        lines = (line.strip() for line in content.splitlines())
        return _parsed(line for line in lines if line and not line.startswith("#"))

    def _read(self) -> str:
        # Without waiting for the other end of a pipe that somebody put there.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnusableKeysError(f"{self._path} is no file")
            if found.st_uid not in (os.geteuid(), 0):
                raise UnusableKeysError(
                    f"{self._path} belongs to user {found.st_uid}; give it to this user or to root"
                )
            if found.st_mode & _TOO_OPEN:
                mode = f"{stat.S_IMODE(found.st_mode):04o}"
                raise UnusableKeysError(f"others may read or change {self._path} (mode {mode}); chmod 600 it")
            return file.read(_MOST_BYTES).decode("ascii")


def _parsed(items: Iterable[str]) -> SpoolKeys:
    keys: dict[int, bytes] = {}
    for place, item in enumerate(items, start=1):
        key_id, colon, text = item.partition(":")
        if not colon or not re.fullmatch(r"[0-9]{1,10}", key_id):
            raise UnusableKeysError(f"entry {place} has no id before a colon; {_FORM}")
        if int(key_id) in keys:
            raise UnusableKeysError(f"key {int(key_id)} is given twice; an id names one key for ever")
        keys[int(key_id)] = _decoded(int(key_id), text)
    if not keys:
        raise UnusableKeysError(f"there is no key; {_FORM}")
    return first_is_current(keys)


def _decoded(key_id: int, text: str) -> bytes:
    try:
        if re.fullmatch(rf"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}", text):
            return bytes.fromhex(text)
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        key = base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableKeysError(f"key {key_id} is neither base64 nor hexadecimal; {_FORM}") from None
    if len(key) != KEY_BYTES:
        raise UnusableKeysError(f"key {key_id} has {len(key)} bytes instead of {KEY_BYTES}; {_FORM}")
    return key
