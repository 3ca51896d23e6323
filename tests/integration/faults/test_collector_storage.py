"""A Collector that keeps its queue on disk is killed again and again: what it acknowledged gets there."""

from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerProvider, Settings
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.faults import ways
from tests.integration.faults.flow import BURST, flow, further
from tests.integration.faults.judge import Application, Arrived, Watch, judge
from tests.integration.faults.table import GRPC, PROTOBUF, Fate
from tests.integration.harness import merged
from tests.servers.collector import Collector

KILLS = 3
ALL_IN_TIME_MILLIS = 60_000
ALL_IN_TIME_SECONDS = 60.0


def onward(receiver: OtlpReceiver, storage: Path) -> dict[str, Any]:
    """Sends to `receiver`, from a queue on disk, and never gives up."""
    exporter = {
        "endpoint": receiver.endpoint,
        "sending_queue": {"enabled": True, "storage": "file_storage", "queue_size": 100_000},
        "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms", "max_elapsed_time": "0s"},
    }
    return {
        "extensions": {"file_storage": {"directory": str(storage), "create_directory": True}},
        "exporters": {"otlp_http": exporter},
        "service": {"extensions": ["file_storage"], "pipelines": {"logs": {"exporters": ["otlp_http"]}}},
    }


@pytest.mark.parametrize("way", [PROTOBUF, pytest.param(GRPC, marks=pytest.mark.long)])
def test_what_a_killed_collector_acknowledged_arrives_at_the_end(
    way: str, collector_binary: Path, tmp_path: Path, receiver: OtlpReceiver
) -> None:
    extra = onward(receiver, tmp_path / "storage")
    with Collector(collector_binary, tmp_path, extra=extra) as collector:
        port = collector.grpc_port if way == GRPC else collector.http_port
        own = merged(ways.SETTINGS, ways.settings(way, port, 2_000, None))
        loaded = Settings.load(environ={}, spool={"directory": tmp_path / "spool"}, **own)
        with LoggerProvider(settings=loaded, shutdown_on_exit=False) as provider:
            application, watch = Application(provider), Watch(provider.ledger)
            with watch.watching(), flow(application):
                for kill in range(KILLS):
                    further(application, 10 * BURST)
                    # Now and then the end is away too, so that the queue is not empty when its owner dies.
                    if kill % 2 == 0:
                        receiver.refuse_connections()
                        further(application, 10 * BURST)
                    collector.kill()
                    further(application, 10 * BURST)
                    assert watch.look().exporters["otlp"].pending > 0
                    if kill % 2 == 0:
                        receiver.accept_again()
                    collector.start_again()
                further(application, 10 * BURST)
            assert provider.force_flush(ALL_IN_TIME_MILLIS), str(provider.ledger())
            side = provider.ledger().exporters["otlp"]
            assert side.delivered == application.logged

            def missing() -> int:
                return application.logged - len(Arrived(receiver.log_records).times)

            wait_until(lambda: not missing(), "everything at the end", ALL_IN_TIME_SECONDS)
            judge_end(application, side, receiver)


def judge_end(application: Application, side: Any, receiver: OtlpReceiver) -> None:
    """Every record is there, once or twice, in an order that its numbers prove."""
    application.phases["during"] = range(application.logged)
    judge(Fate.WAIT, application, side, Arrived(receiver.log_records), answer_lost=True)
