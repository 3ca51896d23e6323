"""One adapter per library. Importing this package imports none of the libraries."""

from __future__ import annotations

from importlib import import_module

from benchmarks.libraries.base import Library, NotInstalledError

__all__ = ["ADAPTERS", "DEFAULTS", "FILE", "NotInstalledError", "load"]

# Name in the report -> module and class. The order is the order of the tables.
ADAPTERS: dict[str, tuple[str, str]] = {
    "fapilog": ("fapilog", "Fapilog"),
    "fapilog stdlib bridge": ("fapilog", "FapilogBridge"),
    "fapilog structlog bridge": ("fapilog", "FapilogStructlog"),
    "fapilog loguru bridge": ("fapilog", "FapilogLoguru"),
    "fapilog api emit": ("fapilog", "FapilogEmit"),
    "otel emit": ("otel_sdk", "OtelEmit"),
    "otel handler": ("otel_sdk", "OtelHandler"),
    "stdlib null": ("stdlib", "StdlibNull"),
    "stdlib json": ("stdlib", "StdlibJson"),
    "stdlib queue": ("stdlib", "StdlibQueue"),
    "structlog": ("structlog", "Structlog"),
    "loguru": ("loguru", "Loguru"),
    "picologging": ("picologging", "Picologging"),
    "logfire": ("logfire", "Logfire"),
}
# The stock SDK with its default queue, where the question is what a user gets. In no other table.
DEFAULTS = "otel emit (defaults)"
# A log file, where the question is what outlives a process.
FILE = "stdlib file"
EXTRA_ADAPTERS: dict[str, tuple[str, str]] = {
    DEFAULTS: ("otel_sdk", "OtelEmitDefaults"),
    FILE: ("stdlib", "StdlibFile"),
}


def load(name: str) -> Library:
    """Return the adapter of one library.

    Raises:
        NotInstalledError: The library cannot be imported; the message says why.
    """
    module, cls = (ADAPTERS | EXTRA_ADAPTERS)[name]
    adapter: Library = getattr(import_module(f"benchmarks.libraries.{module}"), cls)()
    try:
        adapter.import_library()
    except ImportError as error:
        raise NotInstalledError(f"not installed: {error}") from error
    return adapter
