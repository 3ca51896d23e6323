"""Settings of the spool (stage 6): blocks on disk. Data and its checks only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from fapilog.settings import types
from fapilog.settings.key_provider import KeyProviderSetting
from fapilog.settings.types import Group, NotNegative, Positive, conflict

MIB = 1_048_576
# How often a process looks for others that ended. No setting: tests alone have a reason for another value.
ADOPT_INTERVAL_MILLIS = 5_000


class SpoolSettings(Group):
    """Stage 6: where records wait on disk while exporters are behind, and after a process that ended."""

    directory: Path | None = Field(
        None,
        description="Where records wait on disk; processes of one service share it. It is made for its owner"
        " alone. None: no spool, records wait in memory.",
    )
    limit_bytes: Positive = Field(
        1_024 * MIB,
        description="Disk that the processes of one service may take together. Beyond it records wait in"
        " memory.",
    )
    min_free_bytes: NotNegative = Field(
        256 * MIB, description="What has to stay free on the file system. Beyond it records wait in memory."
    )
    max_age_seconds: Positive | None = Field(
        259_200,
        description="Age at which records on disk are dropped, by whole segments; None: age does not matter.",
    )
    segment_bytes: Positive = Field(
        16 * MIB,
        description="Size of one file at most. Space is freed by whole files, when all records in it are"
        " delivered.",
    )
    fsync: Literal["never", "interval", "always"] = Field(
        "never",
        description="When bytes are forced to the disk: never; every `fsync_interval_millis`; with every"
        " block. Without it records survive the process, not the machine.",
    )
    fsync_interval_millis: Positive = Field(
        1_000, description="A loss of power takes at most what was spooled in this time. For `interval`."
    )
    adopt: types.Flag = Field(
        True, description="Records that ended processes of the same service left are delivered too."
    )

    key_provider: KeyProviderSetting | None = Field(
        None,
        description="What gives the keys that encrypt records on disk: `env:NAME` of a variable,"
        " `file:/path`, the name of a plugin, or an argument: a function or a `KeyProvider`. None: they are"
        " not encrypted.",
    )
    key_refresh_seconds: Positive = Field(
        60, description="How often the key provider is asked again, so that new keys need no restart."
    )

    @model_validator(mode="after")
    def _segment_fits(self) -> SpoolSettings:
        if self.limit_bytes < self.segment_bytes:
            raise conflict(
                "spool-smaller-than-segment",
                "the spool is smaller than one of its files may be",
                f"raise {{limit_bytes}} to {self.segment_bytes} or more, or lower {{segment_bytes}}",
                limit_bytes=self.limit_bytes,
                segment_bytes=self.segment_bytes,
            )
        return self

    def native(
        self, service: str, keys: tuple[int | None, Mapping[int, bytes]] = (None, {})
    ) -> dict[str, object] | None:
        """Return what the native side takes; None without a directory.

        Args:
            service: Name of the service; processes of one service take over each other's records.
            keys: Id of the current key, and all keys by id; the default encrypts nothing.
        """
        if self.directory is None:
            return None
        plain = self.model_dump(exclude={"key_provider", "key_refresh_seconds"})
        # Absolute: the process may change its folder later.
        return plain | {
            "directory": self.directory.absolute(),
            "service": service,
            "keys": keys,
            "adopt_interval_millis": ADOPT_INTERVAL_MILLIS,
        }
