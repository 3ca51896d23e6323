"""Settings of stage 6 other than OTLP and the console: how records are delivered. Data only."""

from __future__ import annotations

from pydantic import Field

from fapilog.settings.groups import RetrySettings
from fapilog.settings.types import Flag, Group, Names, Positive


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
    retry: RetrySettings = Field(default_factory=RetrySettings, description="See the group below.")
