"""An exporter in Python beside an OpenTelemetry one: each has a ledger, and failures are tried again."""

from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import fapilog


class Flaky:
    """Is busy at first. A real one would await a client here."""

    name = "flaky"

    def __init__(self) -> None:
        self.busy = True
        self.bodies: list[object] = []

    async def export_batch(self, batch: fapilog.LogBatch) -> fapilog.ExportOutcome:
        """Take the whole batch, or ask for it again."""
        if self.busy:
            self.busy = False
            return fapilog.ExportOutcome(retry=True, cause="busy")
        self.bodies += [record.log_record.body for record in batch]
        return fapilog.ExportOutcome(delivered=len(batch))


flaky, memory = Flaky(), InMemoryLogRecordExporter()
with fapilog.configure_otel("orders", exporters=[flaky, memory]) as telemetry:
    log = fapilog.get_logger("orders")
    log.info("order placed", order_id=42, password="hunter2")
    log.warning("stock is low", item="tea")
    telemetry.force_flush(10_000)
    print(flaky.bodies)
    print(memory.get_finished_logs()[0].log_record.attributes["password"])
    print(telemetry.ledger())
