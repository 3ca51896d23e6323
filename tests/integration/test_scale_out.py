"""Services, Kafka, Collectors, one destination; broker, Collectors and a service are killed on the way."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from examples.scale_out import __main__ as scale_out
from examples.scale_out import hops
from examples.scale_out.hops import GroupCollector, Service, start_service, wait_until
from fapilog.testing import OtlpReceiver
from fapilog.testing.decoding import decode_log_records
from tests.contract.snippets import ROOT
from tests.servers.kafka import KafkaBroker
from tests.servers.maven import JavaServerMissing

SERVICES, RECORDS, PER_SECOND = 3, 1_200, 200
PARTITIONS = 4
# Where others build, Java takes a minute to start.
PATIENCE_SECONDS = 300.0


class Uids:
    """What a receiver has: of each record its service, its number and its `log.record.uid`, and how often."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        self._receiver = receiver
        self._read = 0
        self._found: Counter[tuple[str, int, str]] = Counter()

    def count(self) -> Counter[tuple[str, int, str]]:
        requests = self._receiver.requests[self._read :]
        self._read += len(requests)
        for request in requests:
            for record in decode_log_records(request.message):
                named = record.attributes
                self._found[named["instance"], named["number"], named["log.record.uid"]] += 1
        return self._found


def broker_in(folder: Path) -> KafkaBroker:
    try:
        return KafkaBroker(folder, properties={"group.min.session.timeout.ms": "1000"})
    except JavaServerMissing as missing:
        pytest.skip(str(missing))


def test_the_page_shows_the_collectors_file_as_it_is() -> None:
    page = (ROOT / "docs" / "how-to" / "scale_out.md").read_text(encoding="utf-8")
    assert f"```yaml\n{(ROOT / 'examples' / 'scale_out' / 'collector.yaml').read_text()}```" in page


def test_a_hop_that_fails_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = []

    def start(name: str, *_: object) -> Service:
        monkeypatch.setattr(hops, "HERE", tmp_path)
        (tmp_path / "service.py").write_text("import time; time.sleep(600)")
        started.append(Service(name, "127.0.0.1:9", tmp_path, 1, 1))
        return started[-1]

    def fail(*_: object) -> None:
        raise TimeoutError("a hop is silent")

    for name in ("build", "KafkaBroker", "OpenSearch", "Indexer", "GroupCollector"):
        monkeypatch.setattr(scale_out, name, MagicMock())
    monkeypatch.setattr(scale_out, "start_service", start)
    monkeypatch.setattr(scale_out, "wait_until", fail)
    with pytest.raises(TimeoutError, match="silent"), ExitStack() as stack:
        scale_out.play(stack, tmp_path, 2, 10, 10)
    assert [service.process.returncode for service in started] == [-signal.SIGKILL] * 2


@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_is_killed_and_repeats_are_known_by_their_uid(
    collector_binary: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(broker_in(tmp_path / "kafka"))
        broker.create_topic("otlp_logs", PARTITIONS)
        receiver = stack.enter_context(OtlpReceiver())
        arrived = Uids(receiver)
        collectors = []
        for number in range(2):
            collector = GroupCollector(
                collector_binary, broker.address, receiver.logs_endpoint, tmp_path / f"{number}.log"
            )
            collector.start()
            stack.callback(collector.kill)
            collectors.append(collector)
        spool = tmp_path / "spool"
        services = [
            start_service(f"s{number}", broker.address, spool, RECORDS, PER_SECOND)
            for number in range(SERVICES)
        ]
        for service in services:
            stack.callback(service.kill)

        def state() -> str:
            written = "\n".join(each.written() for each in collectors)
            return f"{len(arrived.count())} of {SERVICES * RECORDS} arrived; the Collectors say: {written}"

        wait_until(lambda: len(arrived.count()) > 300, PATIENCE_SECONDS, state)
        broker.kill()
        collectors[0].kill()
        broker.start()
        collectors[0].start()
        wait_until(lambda: len(arrived.count()) > 1_200, PATIENCE_SECONDS, state)
        collectors[1].kill()
        collectors[1].start()
        said = [service.wait(PATIENCE_SECONDS) for service in services]
        assert [each["rejected"] for each in said] == [0] * SERVICES
        assert [each["flushed"] for each in said] == [True] * SERVICES
        wanted = {(f"s{number}", record) for number in range(SERVICES) for record in range(RECORDS)}
        wait_until(lambda: {key[:2] for key in arrived.count()} >= wanted, PATIENCE_SECONDS, state)
        found = arrived.count()
        # A record that came twice came with the id that it had: whoever knows ids has each once.
        assert len(found) == len(wanted) == len({uid for _, _, uid in found})
        partitions = {message.partition for message in broker.messages("otlp_logs")}
    assert len(partitions) > 1


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_killed_service_leaves_its_records_to_the_next_one(collector_binary: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(broker_in(tmp_path / "kafka"))
        broker.create_topic("otlp_logs", PARTITIONS)
        receiver = stack.enter_context(OtlpReceiver())
        arrived = Uids(receiver)
        collector = GroupCollector(
            collector_binary, broker.address, receiver.logs_endpoint, tmp_path / "collector.log"
        )
        collector.start()
        stack.callback(collector.kill)
        spool = tmp_path / "spool"
        first = start_service("first", broker.address, spool, 100_000, 500)
        stack.callback(first.kill)
        wait_until(lambda: len(arrived.count()) > 500, PATIENCE_SECONDS, collector.written)
        broker.kill()
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        broker.start()
        second = start_service("second", broker.address, spool, 10, 100)
        stack.callback(second.kill)
        assert second.wait(PATIENCE_SECONDS)["flushed"]
        wait_until(
            lambda: sum(key[0] == "second" for key in arrived.count()) == 10,
            PATIENCE_SECONDS,
            collector.written,
        )
        numbers = sorted(key[1] for key in arrived.count() if key[0] == "first")
    # Everything that a call returned from, without a gap: the last numbers were never promised.
    assert numbers == list(range(len(numbers)))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_example_shows_opensearch_with_every_record_once(collector_binary: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.scale_out", "--records", "1000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if "needs the servers of the tests" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^opensearch: 3000 of 3000 documents, \d+ repeats refused", done.stdout, re.MULTILINE)
