"""Settings of the crash ring (stage 4): what outlives a process that is killed. Data only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from fapilog.settings.types import Group, Positive

MIB = 1_048_576

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
        " delivered nor in the spool.",
    )
    sync_interval_millis: Positive = Field(
        1_000,
        description="A loss of power takes at most what was logged in this time. For `durability` `power`.",
    )

    def native(self, durability: DurabilityLevel) -> dict[str, object] | None:
        """Return what the native side takes; None at level `memory`.

        Args:
            durability: The level.
        """
        if durability == "memory":
            return None
        # Absolute: the process may change its folder later.
        directory = None if self.directory is None else self.directory.absolute()
        interval = self.sync_interval_millis if durability == "power" else None
        return {
            "directory": directory,
            "limit_bytes": self.limit_bytes,
            "sync_interval_millis": interval,
        }
