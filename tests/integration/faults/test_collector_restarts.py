"""The real Collector ends and starts again while records flow: all arrive, in an order that can be proved."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fapilog import LoggerProvider, Settings
from tests.integration.faults import ways
from tests.integration.faults.flow import BURST, flow, further
from tests.integration.faults.judge import Application, Arrived, Watch, judge
from tests.integration.faults.table import GRPC, JSON, PROTOBUF, Fate
from tests.integration.harness import merged
from tests.servers.collector import Collector

RESTARTS = 2
# Written with every request, not after a while: what a Collector acknowledged, a SIGKILL does not take back.
UNBUFFERED = {"exporters": {"file/logs": {"append": False, "rotation": {"max_megabytes": 100}}}}


@pytest.mark.parametrize("end", [Collector.stop, Collector.kill], ids=["stopped", "killed"])
@pytest.mark.parametrize("way", [PROTOBUF, JSON, GRPC])
def test_nothing_is_lost_when_the_collector_restarts_while_records_flow(
    way: str, end: Callable[[Collector], None], collector_binary: Path, tmp_path: Path
) -> None:
    with Collector(collector_binary, tmp_path, extra=UNBUFFERED) as collector:
        port = collector.grpc_port if way == GRPC else collector.http_port
        loaded = Settings.load(environ={}, **merged(ways.SETTINGS, ways.settings(way, port, 2_000, None)))
        with LoggerProvider(settings=loaded, shutdown_on_exit=False) as provider:
            application, watch = Application(provider), Watch(provider.ledger)
            with watch.watching(), flow(application):
                for _ in range(RESTARTS):
                    further(application, 10 * BURST)
                    end(collector)
                    further(application, 10 * BURST)
                    assert watch.look().exporters["otlp"].pending > 0
                    collector.start_again()
                further(application, 10 * BURST)
            assert provider.force_flush(30_000), str(provider.ledger())
            side = provider.ledger().exporters["otlp"]
            arrived = collected(collector, application.logged)
            judge(Fate.WAIT, application, side, arrived, answer_lost=True)
            # At least once: what was under way when the Collector ended may come again, and nothing else.
            assert arrived.duplicates <= RESTARTS * loaded.otlp.max_in_flight * 10


def collected(collector: Collector, records: int) -> Arrived:
    """What the Collector wrote, once there is all of it."""
    deadline = time.monotonic() + 10
    while True:
        arrived = Arrived(collector.log_records())
        if len(arrived.times) >= records or time.monotonic() > deadline:
            return arrived
        time.sleep(0.02)
