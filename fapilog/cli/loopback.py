"""Keeps what a command starts on this machine: outside settings are taken away for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


@contextmanager
def only_loopback(endpoint: str) -> Iterator[None]:
    """Hide every `OTEL_*`, `FAPILOG_*` and proxy variable; spans and metrics go to `endpoint`.

    Example:
        >>> with only_loopback("http://127.0.0.1:4318"):
        ...     [name for name in os.environ if name.startswith("OTEL_")]
        ['OTEL_EXPORTER_OTLP_ENDPOINT']
    """
    outside = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("OTEL_", "FAPILOG_")) or name.lower().endswith("_proxy")
    }
    for name in outside:
        del os.environ[name]
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    try:
        yield
    finally:
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
        os.environ.update(outside)
