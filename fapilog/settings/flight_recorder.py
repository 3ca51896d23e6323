"""Settings of the flight recorder (stage 4): what is kept of records below the level. Data only."""

from __future__ import annotations

from pydantic import Field

from fapilog.settings import types
from fapilog.settings.types import FrozenDict, Group, Positive
from fapilog.severity import Severity

MIB = 1_048_576


class FlightRecorderSettings(Group):
    """Stage 4: records below the level are kept per trace, and exported only if the trace fails."""

    enabled: types.Flag = Field(
        False,
        description="Whether records of spans that are below their logger's level are kept in memory, and"
        " exported when the trace logs ERROR, its request fails or is slow.",
    )
    level: types.Level = Field(Severity.DEBUG, description="Records of this level and above are kept.")
    levels: types.Levels = Field(
        default_factory=FrozenDict,
        description="The same for single scopes, by the longest prefix: `sqlalchemy=info` for a library whose"
        " DEBUG records cost too much.",
    )
    slow_millis: Positive | None = Field(
        None,
        description="Time of a request from which its records are exported although it did not fail; None:"
        " no time is too long, because only you know what is.",
    )
    limit_bytes: Positive = Field(
        16 * MIB,
        description="Memory for all that is kept, beside `buffer.limit_bytes`. Beyond it the trace that was"
        " silent longest is forgotten.",
    )
    max_traces: Positive = Field(
        4_096, description="Traces followed at a time; beyond them the one silent longest is forgotten."
    )
    max_trace_records: Positive = Field(
        1_000, description="Records kept of one trace; beyond them its oldest is forgotten."
    )
    max_age_seconds: Positive = Field(
        300,
        description="Age of records that are forgotten; a trace that was silent for so long has ended.",
    )

    def native(self) -> dict[str, object] | None:
        """The settings as the native side takes them; None: off."""
        if not self.enabled:
            return None
        limits = {"limit_bytes", "max_traces", "max_trace_records", "max_age_seconds"}
        return self.model_dump(include=limits) | {
            "level": int(self.level),
            "levels": [(prefix, int(level)) for prefix, level in self.levels.items()],
        }
