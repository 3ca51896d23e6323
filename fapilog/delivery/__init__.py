"""Stage 6 of 7, export: delivery to exporters written in Python, on one event loop per provider.

`delivery` owns the thread and the loop; `runner` is one exporter's cursor; `breaker`, `backoff` and
`outcomes` decide and are pure; `processing` runs batch processors before any exporter sees a block.
"""

from fapilog.delivery.delivery import Delivery

__all__ = ["Delivery"]
