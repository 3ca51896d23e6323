"""One cell of the matrix, set up: provider, receiver, what stands between them, and the fault's switch."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fapilog import LoggerProvider, Settings
from fapilog.ledger import ExporterLedger
from tests.integration.faults import ways
from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import Application, Arrived, Watch
from tests.integration.faults.table import Fault, Peer
from tests.integration.harness import merged
from tests.servers.few_connections import FewConnections
from tests.servers.toxiproxy.control import Proxy, Toxiproxy

# Records that do not get smaller: those of one phase are more than the quarter that stays in memory.
SPOOLED: dict[str, Any] = {
    "buffer": {"limit_bytes": 131_072, "chunk_bytes": 4_096, "record_bytes": 1_024},
}
SPOOLED_PADDING_BYTES = 450
# One request at a time, with one block in it.
STRAINED: dict[str, Any] = {
    "otlp": {"max_in_flight": 1, "adaptive": False},
    "delivery": {"max_in_flight": 1},
}


@dataclass
class Scene:
    """What a test of one cell works with."""

    fault: Fault
    way: str
    good: ways.Server
    bad: ways.Server | None
    proxy: Proxy | None
    provider: LoggerProvider
    application: Application
    watch: Watch
    spool: Path | None = None

    def begin(self) -> None:
        """The fault begins."""
        self.good.misbehave(self.fault)
        if self.proxy is not None:
            if self.fault.network is not None:
                self.fault.network(self.proxy)
            if self.bad is not None:
                self.proxy.connect_to(self.bad.port)

    def end(self) -> None:
        """The fault is over."""
        self.good.behave()
        if self.proxy is not None:
            self.proxy.connect_to(self.good.port)

    def attempts(self) -> float:
        """Grows with every attempt that ended."""
        return ways.attempts(self.provider)

    def side(self) -> ExporterLedger:
        """The exporter's ledger, from a look that counts."""
        return self.watch.look().exporters[ways.exporter_name(self.way)]

    def arrived(self) -> Arrived:
        """What the good receiver took. A bad one takes nothing, or it would not be a fault."""
        assert self.bad is None or not self.bad.received()
        return Arrived(self.good.received())


@contextmanager
def scene(
    fault: Fault,
    way: str,
    toxiproxy: Toxiproxy | None,
    identities: Identities,
    timeout_millis: int,
    spool: Path | None = None,
    **changes: Any,
) -> Iterator[Scene]:
    """Sets up a cell, with `changes` to its settings; afterwards everything is closed.

    With a `spool`, a phase of records is more than memory may hold, so that some of them wait there.
    """
    client_speaks_tls = fault.peer not in {Peer.NONE, Peer.TLS}
    with ExitStack() as stack:
        good = stack.enter_context(ways.server(way, identities.good if client_speaks_tls else None))
        bad = None
        if fault.peer is not Peer.NONE:
            bad = stack.enter_context(ways.server(way, identities.bad[fault.peer]))
        proxy, port = None, good.port
        if fault.needs_proxy:
            assert toxiproxy is not None
            proxy = stack.enter_context(toxiproxy.proxy(good.port))
            port = proxy.port
        if fault.connections is not None:
            port = stack.enter_context(FewConnections(good.port, fault.connections)).port
        authorities = identities.trusted if client_speaks_tls else None
        own = merged(ways.SETTINGS, ways.settings(way, port, timeout_millis, authorities))
        if spool is not None:
            own = merged(own, {**SPOOLED, "spool": {"directory": spool}})
        if fault.strains:
            own = merged(own, STRAINED)
        loaded = Settings.load(environ={}, **merged(own, changes))
        # Ended here whatever the test did; a second shutdown does nothing.
        provider = LoggerProvider(settings=loaded, shutdown_on_exit=False)
        stack.callback(provider.shutdown, 0)
        padding = SPOOLED_PADDING_BYTES if spool else 0
        application = Application(provider, padding_bytes=padding)
        yield Scene(fault, way, good, bad, proxy, provider, application, Watch(provider.ledger), spool)
