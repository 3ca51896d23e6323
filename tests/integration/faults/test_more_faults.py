"""Faults that meet more than one attempt of one exporter: age, neighbours, the end of the process."""

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

from fapilog import LoggerProvider, Settings
from tests.integration.beside import wait_until
from tests.integration.faults import ways
from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import Application, Arrived, Watch, judge, lost
from tests.integration.faults.scene import scene
from tests.integration.faults.table import EVERY_WAY, FAULTS, GRPC, HTTP, PROTOBUF, WEBHOOK, Fate
from tests.integration.harness import merged, run
from tests.servers.early_answers import EarlyAnswers
from tests.servers.ports import free_ports

ALL_IN_TIME_MILLIS = 30_000
AGE_MILLIS = 60
SHUTDOWN_SECONDS = 0.3
# For the start of an interpreter and a busy machine; an attempt that held the end would take its 10 s.
SLACK_SECONDS = 6.0
STOCK_SECONDS = 0.2
BODY_LIMIT_BYTES, RANDOM_RECORDS, RANDOM_BYTES = 200_000, 200, 5_000
BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("name", ["503", "silent"])
def test_what_is_too_old_is_dropped_and_counted_and_what_comes_later_arrives(
    name: str, way: str, identities: Identities
) -> None:
    fault = BY_NAME[name]
    aging = {"retry": {"max_elapsed_millis": AGE_MILLIS}}
    with (
        scene(fault, way, None, identities, 40, otlp=aging, delivery=aging) as cell,
        cell.watch.watching(),
    ):
        cell.application.log("before", 1, 10)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS)
        cell.begin()
        cell.application.log("during", 2, 20)
        wait_until(lambda: cell.side().pending == 0, "everything too old")
        cell.end()
        cell.application.log("after", 1, 10)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        assert lost(cell.side()) == {"expired": 40}, cell.side()
        arrived = cell.arrived()
        assert sorted(arrived.times) == [
            *cell.application.phases["before"],
            *cell.application.phases["after"],
        ]
        arrived.check_order()


@pytest.mark.parametrize("way", HTTP)
def test_a_request_that_is_refused_while_it_is_sent_is_split(way: str) -> None:
    with EarlyAnswers(BODY_LIMIT_BYTES) as server:
        unlimited = {
            "webhook": {"max_body_bytes": 100 * BODY_LIMIT_BYTES},
            "buffer": {"max_block_records": 1_000},
        }
        settings = merged(merged(ways.SETTINGS, ways.settings(way, server.port, 5_000, None)), unlimited)
        settings["buffer"]["schedule_delay_millis"] = 60_000
        loaded = Settings.load(environ={}, **settings)
        with LoggerProvider(settings=loaded, shutdown_on_exit=False) as provider:
            logger = provider.get_logger("shop")
            for number in range(RANDOM_RECORDS):
                # It must not shrink: the head has to leave before the body does.
                logger.emit(body=random.Random(number).randbytes(RANDOM_BYTES))
            assert provider.force_flush(ALL_IN_TIME_MILLIS), str(provider.ledger())
            side = provider.ledger().exporters[ways.exporter_name(way)]
            assert (side.delivered, side.rejected, lost(side)) == (RANDOM_RECORDS, 0, {}), side
        assert server.refused > 0
        assert server.taken > 1


@pytest.mark.parametrize("name", ["503", "400", "silent", "closed without an answer", "garbage in a 200"])
def test_what_a_stock_exporter_gives_up_is_counted_as_rejected(name: str) -> None:
    fault = BY_NAME[name]
    with ways.HttpServer(None) as server:
        # Retries are its own affair, and end with its timeout.
        stock = OTLPLogExporter(f"http://127.0.0.1:{server.port}/v1/logs", timeout=STOCK_SECONDS)
        loaded = Settings.load(environ={}, **ways.SETTINGS)
        provider = LoggerProvider(settings=loaded, exporters=[stock], shutdown_on_exit=False)
        application, watch = Application(provider), Watch(provider.ledger)
        with provider, watch.watching():
            application.log("before", 1, 10)
            assert provider.force_flush(ALL_IN_TIME_MILLIS)
            server.misbehave(fault)
            application.log("during", 1, 20)
            assert provider.force_flush(ALL_IN_TIME_MILLIS)
            server.behave()
            application.log("after", 1, 10)
            assert provider.force_flush(ALL_IN_TIME_MILLIS)
            (side,) = watch.look().exporters.values()
            fate = Fate.PASS if fault.fate is Fate.PASS else Fate.REJECTED
            judge(fate, application, side, Arrived(server.received()), answer_lost=False)


@contextmanager
def two(bad: str, good: str) -> Iterator[tuple[LoggerProvider, ways.Server, ways.Server]]:
    """A provider with two exporters, and their receivers."""
    with ways.server(bad, None) as first, ways.server(good, None) as second:
        settings = merged(
            ways.settings(bad, first.port, 20_000, None), ways.settings(good, second.port, 20_000, None)
        )
        settings["exporters"] = [ways.exporter_name(bad), ways.exporter_name(good)]
        loaded = Settings.load(environ={}, **merged(ways.SETTINGS, settings))
        provider = LoggerProvider(settings=loaded, shutdown_on_exit=False)
        try:
            yield provider, first, second
        finally:
            provider.shutdown(0)


@pytest.mark.parametrize(
    ("bad", "good"), [(PROTOBUF, WEBHOOK), (WEBHOOK, PROTOBUF), (GRPC, WEBHOOK), (WEBHOOK, GRPC)]
)
@pytest.mark.parametrize("name", ["503", "silent", "400"])
def test_a_receiver_that_fails_delays_only_its_own_exporter(name: str, bad: str, good: str) -> None:
    with two(bad, good) as (provider, failing, working):
        application, watch = Application(provider), Watch(provider.ledger)
        with watch.watching():
            failing.misbehave(BY_NAME[name])
            application.log("during", 5, 20)
            wait_until(lambda: len(working.received()) == 100, "all at the good receiver")
            wait_until(
                lambda: watch.look().exporters[ways.exporter_name(good)].delivered == 100, "all acknowledged"
            )
            side = watch.look().exporters[ways.exporter_name(bad)]
            assert side.delivered == 0
            assert not failing.received()
            if name == "400":
                wait_until(
                    lambda: watch.look().exporters[ways.exporter_name(bad)].rejected == 100, "all rejected"
                )
            else:
                assert side.pending == 100


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("name", ["silent", "refused"])
def test_the_end_of_the_process_under_a_fault_keeps_its_deadline_and_says_what_it_left(
    name: str, way: str
) -> None:
    with ways.server(way, None) as server:
        server.misbehave(BY_NAME[name])
        port = free_ports(1)[0] if name == "refused" else server.port
        url = f"http://127.0.0.1:{port}"
        variables: dict[str, Any] = {
            "FAPILOG_SHUTDOWN_TIMEOUT_MILLIS": str(int(SHUTDOWN_SECONDS * 1_000)),
            "FAPILOG_EXPORTERS": ways.exporter_name(way),
            "FAPILOG_WEBHOOK_URL": f"{url}/v1/logs",
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": way if way != WEBHOOK else PROTOBUF,
        }
        begun = time.monotonic()
        ended = run("log_and_end.py", url if way == GRPC else f"{url}/v1/logs", "50", **variables)
        seconds = time.monotonic() - begun
        assert (ended.returncode, ended.stdout) == (0, "logged 50\n"), ended.stderr
        assert seconds < SHUTDOWN_SECONDS + SLACK_SECONDS
        assert re.search(r"^fapilog: 50 records were not delivered", ended.stderr, re.MULTILINE), ended.stderr
        assert not server.received()
