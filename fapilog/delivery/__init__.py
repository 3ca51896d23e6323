"""Stage 6 of 7, export: delivery to exporters written in Python, on one event loop per provider.

In reading order: `delivery` puts everything of a provider on one event loop, whose thread is `loop`. A block
first passes `processing`, the batch processors. Then `runner`, one per exporter, claims it, calls that
through `calls`, and settles: `outcomes` reads the answer, `backoff` sets the pause, `breaker` allows the
next call; these three are pure. Two guests share the loop: `headers` keeps those of native exporters good,
and `refreshing` asks enrichers now and then.
"""

from fapilog.delivery.delivery import Delivery

__all__ = ["Delivery"]
