"""An exporter of fapilog: appends each record to a file, as a line of JSON."""

import asyncio
import os
from pathlib import Path

from fapilog import ExportOutcome, LogBatch, PluginMetadata


class JsonLines:
    """Appends records to a file.

    Args:
        path: Where to; default: the variable JSON_LINES, else `json_lines.jsonl`.
    """

    name = "json_lines"
    fapilog_plugin = PluginMetadata(name="json_lines", version="0.1.0", type="exporter")

    def __init__(self, path: str | None = None) -> None:
        self.path = Path(path or os.environ.get("JSON_LINES", "json_lines.jsonl"))

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Deliver a batch. An OSError means: try again later."""
        await asyncio.to_thread(self._append, batch.encode("json"))
        return ExportOutcome(delivered=len(batch))

    def _append(self, lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(lines)
