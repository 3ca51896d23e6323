"""Stage 6 of 7, export: what the native file writer is told. Threads: sender."""

from __future__ import annotations

from fapilog.exporters.base import NativeExporter
from fapilog.settings import Settings


def make_exporter(settings: Settings) -> NativeExporter:
    """Make the exporter that is called `file`.

    Raises:
        ConfigurationError: `file-path-missing`, if no path is set.
    """
    file = settings.file
    return NativeExporter(
        "file",
        {
            "kind": "file",
            "path": str(file.required_path()),
            "form": file.form,
            "max_bytes": file.max_bytes,
            "max_age_seconds": file.max_age_seconds,
            "compress_rotated": file.compress_rotated,
            "keep_files": file.keep_files,
            "keep_seconds": file.keep_seconds,
            "fsync": file.fsync,
        },
    )
