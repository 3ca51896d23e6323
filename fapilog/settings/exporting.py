"""Settings of stage 6 other than OTLP and the console: how records are delivered. Data only."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fapilog.settings.groups import RetrySettings
from fapilog.settings.types import Flag, FrozenDict, Group, NamePairs, Names, NotNegative, Positive


class DeliverySettings(Group):
    """Stage 6: whom records wait for; how exporters written in Python, and batch processors, are called."""

    timeout_millis: Positive | None = Field(
        None,
        description="Time for one call of an exporter; then it is cancelled, and the batch comes again. None:"
        " `buffer.export_timeout_millis`.",
    )
    max_in_flight: Positive = Field(
        1, description="Calls of one exporter under way at once, where the exporter does not say how many."
    )
    adaptive: Flag = Field(
        True,
        description="Whether calls follow the destination: fewer at once and further apart while it asks for"
        " pauses or does not answer in time.",
    )
    breaker_failures: Positive = Field(
        5,
        description="Failed calls in a row after which an exporter is left alone for a while. One that the"
        " destination asked to repeat after a pause does not count.",
    )
    breaker_pause_millis: Positive = Field(
        30_000,
        description="How long it is left alone before one call is tried; records wait in the buffer. OTLP"
        " over gRPC, and what else has a `retry` of its own: at most its `max_backoff_millis`.",
    )
    processor_timeout_millis: Positive = Field(
        5_000, description="Time for one call of a batch processor; then the block passes on as it was."
    )
    best_effort: Names = Field(
        (),
        description="Exporters that records do not wait for: what one of them is too slow for is dropped for"
        " it alone (`best_effort`). All others are required.",
    )
    fallback: NamePairs = Field(
        default_factory=FrozenDict,
        description="What an exporter does not take goes to another one, which gets nothing else:"
        " `otlp=file`.",
    )
    fallback_after_millis: NotNegative = Field(
        30_000,
        description="How long an exporter may take nothing before its fallback gets its records, where there"
        " is no spool. At the end of the process, and when blocks fill half of the buffer, it gets them at"
        " once.",
    )
    dead_letters: Path | None = Field(
        None,
        description="File for records that receivers refuse for good, as lines of OTLP/JSON with the exporter"
        " and the reason; readable by its owner alone. None: they are only counted.",
    )
    dead_letters_bytes: Positive = Field(
        16 * 1_048_576, description="Size at which a new file starts; the old one gets another name."
    )
    dead_letters_files: NotNegative = Field(
        3, description="Old files that are kept beside the one that grows."
    )
    retry: RetrySettings = Field(default_factory=RetrySettings, description="See the group below.")

    def native_dead_letters(self) -> dict[str, object] | None:
        """Return what the native side takes; None without a file."""
        if self.dead_letters is None:
            return None
        # Absolute: the process may change its folder later.
        path = str(self.dead_letters.absolute())
        return {"path": path, "max_bytes": self.dead_letters_bytes, "keep_files": self.dead_letters_files}
