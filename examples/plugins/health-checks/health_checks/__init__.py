"""A batch processor of fapilog: leaves out what health checks log."""

from fapilog import LogBatch, PluginMetadata

PATHS = frozenset({"/healthz", "/readyz"})


class HealthChecks:
    """Drops records whose `url.path` is a health check's."""

    name = "health_checks"
    fapilog_plugin = PluginMetadata(name="health_checks", version="0.1.0", type="processor")

    async def process(self, batch: LogBatch) -> list | None:
        """Return the records to keep; None: all of them."""
        kept = [each for each in batch if (each.log_record.attributes or {}).get("url.path") not in PATHS]
        return None if len(kept) == len(batch) else kept
