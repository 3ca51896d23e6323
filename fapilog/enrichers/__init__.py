"""Enrichers: attributes that every record carries without a call that names them. Public: `enricher`, `user`.

`configure_otel(enrichers=[...])` and `LoggerProvider(enrichers=[...])` take names, mappings, functions and
async functions. `docs/how-to/enrich_records.md` shows each.
"""

from fapilog.enrichers.base import enricher

__all__ = ["enricher"]
