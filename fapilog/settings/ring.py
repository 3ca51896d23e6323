"""Settings of the crash ring (stage 4): what outlives a process that is killed. Data only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from fapilog.settings.groups import BufferSettings
from fapilog.settings.types import Group, Positive

MIB = 1_048_576
# As the native side has them: slots of a ring, what a record takes besides its bytes, what slots are made of.
_FEWEST_SLOTS, _MOST_SLOTS = 2, 64
_MARK_BYTES, _CHUNK_ROOM_BYTES = 5, 69
_PAGE_BYTES = 4_096

DurabilityLevel = Literal["memory", "process", "power"]


class RingSettings(Group):
    """Stage 4: where records are on their way, for `durability` other than `memory`."""

    directory: Path | None = Field(
        None,
        description="Where the ring's file goes; made for its owner alone. None: `/dev/shm` if it has room"
        " and `durability` is `process`, else the spool's directory.",
    )
    limit_bytes: Positive = Field(
        16 * MIB,
        description="Length of the ring, allocated at the start. It holds every record that is neither"
        " delivered nor in the spool. The default is less, or more, where the sizes of `buffer` ask for it.",
    )
    sync_interval_millis: Positive = Field(
        1_000,
        description="A loss of power takes at most what was logged in this time. For `durability` `power`.",
    )

    def native(self, durability: DurabilityLevel, buffer: BufferSettings) -> dict[str, object] | None:
        """Return what the native side takes; None at level `memory`.

        Args:
            durability: The level.
            buffer: Its sizes are those of the ring's slots.
        """
        if durability == "memory":
            return None
        # Absolute: the process may change its folder later.
        directory = None if self.directory is None else self.directory.absolute()
        interval = self.sync_interval_millis if durability == "power" else None
        least, most = possible_bytes(buffer)
        return {
            "directory": directory,
            "limit_bytes": min(max(self.limit_bytes, least), most),
            "sync_interval_millis": interval,
        }


def possible_bytes(buffer: BufferSettings) -> tuple[int, int]:
    """Return how long a ring may be, in bytes: from 2 slots for one record each to 64 for a chunk each.

    Args:
        buffer: Its sizes are those of the slots.

    Example:
        >>> possible_bytes(BufferSettings())
        (139264, 67108864)
    """
    record = buffer.record_bytes + _CHUNK_ROOM_BYTES
    chunk = min(max(buffer.limit_bytes // 8, record), max(buffer.chunk_bytes, record))
    smallest = _paged(record + _MARK_BYTES)
    return _FEWEST_SLOTS * smallest, _MOST_SLOTS * max(smallest, _paged(chunk))


def _paged(size: int) -> int:
    return -(-size // _PAGE_BYTES) * _PAGE_BYTES
