"""The spool: a receiver that is away costs neither records nor memory, whoever delivers them in the end."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import fapilog
from fapilog import ExportOutcome, LogBatch
from fapilog.errors import ConfigurationError
from fapilog.testing import Hold, OtlpReceiver
from tests.integration.beside import Ledgers, beside, wait_until
from tests.integration.harness import bodies, finish, in_order, run, sequence, start
from tests.integration.spools import (
    BUFFER,
    LIMIT_BYTES,
    OTLP,
    PADDING,
    PATIENCE_SECONDS,
    RECORDS,
    files,
    log_all,
)

Configure = Callable[..., fapilog.Telemetry]


def test_records_wait_on_disk_while_the_receiver_is_away_and_all_arrive_once(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    receiver.refuse_connections()
    telemetry = configure(spool={"directory": spool}, buffer=BUFFER, otlp=OTLP)
    log_all()
    side = telemetry.ledger().exporters["otlp"]
    assert telemetry.ledger().balanced
    assert (side.pending, sum(side.dropped.values())) == (RECORDS, 0)
    assert side.spooled > RECORDS / 2
    assert telemetry.logger_provider.outlet.buffer_bytes() <= LIMIT_BYTES
    assert any("seg-" in name for name in files(spool))
    receiver.accept_again()
    while not telemetry.force_flush(1_000):
        assert telemetry.ledger().balanced
    assert telemetry.shutdown()
    assert [record.body for record in in_order(receiver.log_records)] == [
        str(each) for each in range(RECORDS)
    ]
    assert [sequence(record) for record in in_order(receiver.log_records)] == list(range(RECORDS))
    assert files(spool) == []


def test_nothing_is_written_while_the_receiver_takes_all(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    telemetry = configure(spool={"directory": spool}, buffer=BUFFER)
    written = spool.stat().st_mtime_ns
    log_all(500)
    assert telemetry.force_flush(10_000)
    assert files(spool) == []
    assert telemetry.shutdown()
    assert spool.stat().st_mtime_ns == written
    assert len(receiver.log_records) == 500


def test_the_spool_is_for_its_owner_alone(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    receiver.refuse_connections()
    telemetry = configure(spool={"directory": spool}, buffer=BUFFER, otlp=OTLP)
    log_all(3_000)
    wait_until(lambda: telemetry.ledger().exporters["otlp"].spooled)
    modes = {path.stat().st_mode & 0o777 for path in spool.rglob("*") if path.is_file()}
    assert (spool.stat().st_mode & 0o777, modes) == (0o700, {0o600})
    receiver.accept_again()


@pytest.mark.parametrize("way", ["shutdown", "return"])
def test_what_a_process_could_not_deliver_the_next_one_does(
    receiver: OtlpReceiver, tmp_path: Path, way: str
) -> None:
    spool = str(tmp_path / "spool")
    receiver.refuse_connections()
    first = run("spooling.py", receiver.logs_endpoint, way, "0", "50", FAPILOG_SPOOL_DIRECTORY=spool)
    assert (first.returncode, "50 records wait in the spool" in first.stderr) == (0, True), first.stderr
    assert "not delivered" not in first.stderr
    if way == "shutdown":
        assert first.stdout.split() == ["True", "50", "50", "50"]
    receiver.accept_again()
    second = run("spooling.py", receiver.logs_endpoint, way, "50", "10", FAPILOG_SPOOL_DIRECTORY=spool)
    assert (second.returncode, second.stderr) == (0, "")
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(60))
    assert files(tmp_path / "spool") == []


def test_sigterm_leaves_what_was_not_delivered_on_disk(receiver: OtlpReceiver, tmp_path: Path) -> None:
    spool = str(tmp_path / "spool")
    receiver.refuse_connections()
    process = start("spooling.py", receiver.logs_endpoint, "wait", "0", "50", FAPILOG_SPOOL_DIRECTORY=spool)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.returncode, "not delivered" in ended.stderr) == (-signal.SIGTERM, False), ended.stderr
    receiver.accept_again()
    run("spooling.py", receiver.logs_endpoint, "return", "50", "1", FAPILOG_SPOOL_DIRECTORY=spool)
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(51))


@pytest.mark.parametrize("way", ["wait", "fork"])
def test_a_killed_process_loses_nothing_that_was_on_disk(
    receiver: OtlpReceiver, tmp_path: Path, way: str
) -> None:
    spool = str(tmp_path / "spool")
    receiver.refuse_connections()
    process = start("spooling.py", receiver.logs_endpoint, way, "0", "4000", FAPILOG_SPOOL_DIRECTORY=spool)
    spooled = int(process.stdout.readline().split()[1])
    process.kill()
    process.communicate()
    assert spooled > 2_000
    receiver.accept_again()
    server = start("spooling.py", receiver.logs_endpoint, "serve", "4000", "1", FAPILOG_SPOOL_DIRECTORY=spool)
    server.stdout.readline()
    wait_until(lambda: receiver.log_record_count >= spooled + 1)
    ended = finish(server)
    balanced, adopted = ended.stdout.split()
    numbers = [int(record.body) for record in receiver.log_records]
    assert (balanced, len(numbers), len(set(numbers))) == ("True", int(adopted) + 1, len(numbers))
    # The oldest went to the disk first, so what is lost is the tail.
    assert set(range(spooled)) <= set(numbers)
    assert files(tmp_path / "spool") == []


def test_a_living_sibling_takes_over_and_only_one_of_them(receiver: OtlpReceiver, tmp_path: Path) -> None:
    spool = str(tmp_path / "spool")
    siblings = [
        start("spooling.py", receiver.logs_endpoint, "serve", str(number), "1", FAPILOG_SPOOL_DIRECTORY=spool)
        for number in (1_000, 1_001)
    ]
    for sibling in siblings:
        sibling.stdout.readline()
    receiver.wait_for_log_records(2)
    # Ends at once by itself; its collector is somebody else's port.
    dead = run(
        "spooling.py", "http://127.0.0.1:9/v1/logs", "return", "0", "40", FAPILOG_SPOOL_DIRECTORY=spool
    )
    assert "40 records wait in the spool" in dead.stderr
    receiver.wait_for_log_records(42, timeout_seconds=PATIENCE_SECONDS)
    ends = [finish(sibling).stdout.split() for sibling in siblings]
    assert sorted(ends) == [["True", "0"], ["True", "40"]]
    assert sorted(int(record.body) for record in receiver.log_records) == [*range(40), 1_000, 1_001]
    assert files(tmp_path / "spool") == []


def test_a_full_spool_is_said_once_and_the_application_goes_on_in_memory(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.refuse_connections()
    small = {"directory": tmp_path / "spool", "limit_bytes": 1 << 18, "segment_bytes": 1 << 17}
    telemetry = configure(spool=small, buffer=BUFFER | {"wait_timeout_millis": 1}, otlp=OTLP)
    log_all(3_000)
    said: list[str] = []

    def is_said() -> bool:
        said.extend(line for line in capfd.readouterr().err.splitlines() if "quota" in line)
        return bool(said)

    wait_until(is_said)
    ledger = telemetry.ledger()
    side = ledger.exporters["otlp"]
    lost = sum(side.dropped.values()) + ledger.refused["shed"]
    assert ledger.balanced
    assert (lost > 0, side.spooled > 0, side.pending > side.spooled) == (True, True, True)
    receiver.accept_again()
    assert telemetry.force_flush(10_000)
    assert telemetry.shutdown()
    is_said()
    assert len(said) == 1
    assert len(bodies(receiver)) == 3_000 - lost
    assert files(tmp_path / "spool") == []


def test_the_ledger_adds_up_at_every_look(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    telemetry = configure(spool={"directory": tmp_path / "spool"}, buffer=BUFFER, otlp=OTLP)
    ledgers = Ledgers(telemetry.ledger)
    with beside(ledgers.look):
        for _ in range(3):
            receiver.refuse_connections()
            log_all(1_500)
            wait_until(lambda: ledgers.most_spooled > 0, "a look while records are on disk")
            receiver.accept_again()
            telemetry.force_flush(500)
        assert telemetry.force_flush(10_000)
        wait_until(lambda: ledgers.looks > 50, "50 looks")
    assert len(receiver.log_records) == 4_500


class Away:
    """An exporter in Python that can be away."""

    name = "mine"

    def __init__(self) -> None:
        self.back = threading.Event()
        self.bodies: list[str] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        if not self.back.is_set():
            return ExportOutcome(retry=True, cause="away")
        self.bodies += [str(record.log_record.body) for record in batch]
        return ExportOutcome(delivered=len(batch))


def test_exporters_in_python_get_what_was_on_disk(tmp_path: Path) -> None:
    exporter = Away()
    settings = fapilog.Settings.load(
        environ={},
        spool={"directory": tmp_path / "spool"},
        buffer=BUFFER,
        delivery={
            "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 10},
            "breaker_pause_millis": 10,
        },
    )
    provider = fapilog.LoggerProvider(settings=settings, exporters=[exporter])
    log = provider.get_logger("orders")
    for number in range(RECORDS):
        log.emit(body=str(number), attributes={"padding": PADDING + os.urandom(300).hex()})
    wait_until(lambda: provider.ledger().exporters["mine"].spooled)
    exporter.back.set()
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    assert provider.ledger().balanced
    assert sorted(exporter.bodies, key=int) == [str(number) for number in range(RECORDS)]
    assert files(tmp_path / "spool") == []


def test_a_place_that_cannot_be_used_is_refused_at_start(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"spool directory .*file/spool cannot be used"):
        configure(spool={"directory": tmp_path / "file" / "spool"})


def test_a_held_answer_at_the_end_leaves_the_records_on_disk(receiver: OtlpReceiver, tmp_path: Path) -> None:
    receiver.answer_always_with(Hold(threading.Event()))
    spool = str(tmp_path / "spool")
    ended = run("spooling.py", receiver.logs_endpoint, "shutdown", "0", "20", FAPILOG_SPOOL_DIRECTORY=spool)
    assert ended.stdout.split() == ["True", "20", "20", "20"], ended.stderr
