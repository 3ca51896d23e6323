"""A provider with a flight recorder, whose records come back as plain values."""

from opentelemetry.sdk.trace import TracerProvider

from fapilog import FlightRecorderSpanProcessor
from fapilog.ledger import Ledger
from tests.unit.recording import Recorder


class Recording(Recorder):
    """A recorder whose provider has a flight recorder, and spans that tell it how requests end."""

    def __init__(self, recorder=None, sampler=None, **settings):
        chosen = {"level": "info", "flight_recorder": {"enabled": True, **(recorder or {})}} | settings
        super().__init__(**chosen)
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(FlightRecorderSpanProcessor(self.provider))
        self.tracer = self.tracers.get_tracer("shop")

    def span(self, name="GET /", **options):
        return self.tracer.start_as_current_span(name, **options)

    @property
    def shown(self):
        """Body and reason of each exported record."""
        return [(record.body, record.attributes.get("fapilog.flight_recorder")) for record in self.records]

    @property
    def stats(self):
        stats = self.provider.pipeline.exporter_stats()["flight_recorder"]
        return {name: count for name, count in stats.items() if count and name != "below"}


def terms(ledger: Ledger) -> tuple[int, int, int, int]:
    """Answer offered, filtered, recorded and accepted of a ledger that adds up."""
    assert ledger.balanced
    return ledger.offered, ledger.filtered, ledger.recorded, ledger.accepted
