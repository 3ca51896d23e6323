"""Durability beyond `memory`: what a call returned from survives the process, however it ends."""

import os
import resource
import shutil
import signal
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord

import fapilog
from fapilog import LogBatch
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver
from tests.integration.beside import seeded, wait_until
from tests.integration.harness import finish, is_loss_report, run, start

Configure = Callable[..., fapilog.Telemetry]
PATIENCE_SECONDS = 30.0
# Parts of a ring's file: docs/reference/ring_format.md.
HEADER_BYTES, SECOND_COPY, PAGE = 64, 2_048, 4_096
# Of the program: chunks of 32 KiB, records of more than 64 bytes.
RECORDS_PER_BLOCK = (1 << 15) // 64


class Place:
    """A spool, a ring beside it, and the words in which a program says how many calls returned."""

    def __init__(self, folder: Path) -> None:
        self.spool, self.ring, self.told = folder / "spool", folder / "ring", folder / "told"
        self.told.write_bytes(bytes(16))

    def variables(self, level: str) -> dict[str, str]:
        return {
            "FAPILOG_SPOOL_DIRECTORY": str(self.spool),
            "FAPILOG_RING_DIRECTORY": str(self.ring),
            "FAPILOG_RING_SYNC_INTERVAL_MILLIS": "20",
            "FAPILOG_DURABILITY": level,
        }

    def returned(self, at: int = 0) -> int:
        count: int = struct.unpack_from("<q", self.told.read_bytes(), at)[0]
        return count

    def start(self, receiver: OtlpReceiver, *arguments: object, level: str = "process") -> Any:
        texts = (str(self.told), *map(str, arguments))
        return start("killed.py", receiver.logs_endpoint, *texts, **self.variables(level))

    def deliver(self, receiver: OtlpReceiver) -> Any:
        """The next process of the service, which logs the number -1."""
        receiver.accept_again()
        return run(
            "killed.py",
            receiver.logs_endpoint,
            *(str(self.told), "-1", "1", "return"),
            **self.variables("process"),
        )

    def left(self) -> list[str]:
        return sorted(path.name for folder in (self.spool, self.ring) for path in folder.rglob("*"))

    def rings(self) -> list[Path]:
        return sorted(self.ring.glob("*.ring"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def numbers(receiver: OtlpReceiver) -> list[int]:
    """The application's records; what the pipeline itself says of losses is left out."""
    return sorted(int(record.body) for record in receiver.log_records if not is_loss_report(record))


def kill(process: Any) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("level", ["process", "power"])
def test_a_killed_process_loses_nothing_that_a_call_returned_from(
    receiver: OtlpReceiver, place: Place, level: str
) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 10_000_000, "kill", level=level)
    wait_until(lambda: place.returned() > 3_000)
    kill(process)
    returned = place.returned()
    assert place.deliver(receiver).stderr == ""
    arrived = numbers(receiver)
    # The call that was under way may have stored its record.
    assert set(range(-1, returned)) <= set(arrived) <= set(range(-1, returned + 1))
    # A block that was on its way to the spool may be there and in the ring.
    assert len(arrived) - len(set(arrived)) <= RECORDS_PER_BLOCK
    assert place.left() == []


def test_the_ring_is_in_shared_memory_when_nobody_names_a_place(receiver: OtlpReceiver, place: Place) -> None:
    place.variables = lambda level: {  # type: ignore[method-assign]
        "FAPILOG_SPOOL_DIRECTORY": str(place.spool),
        "FAPILOG_DURABILITY": level,
    }
    mine = Path(f"/dev/shm/fapilog-{os.geteuid()}")
    before = set(mine.rglob("*.ring"))
    receiver.refuse_connections()
    process = place.start(receiver, 0, 50, "kill")
    process.stdout.readline()
    [ring] = set(mine.rglob("*.ring")) - before
    assert (ring.name.startswith("shop-"), ring.stat().st_mode & 0o777, mine.stat().st_mode & 0o777) == (
        True,
        0o600,
        0o700,
    )
    kill(process)
    place.deliver(receiver)
    assert (numbers(receiver), ring.exists(), ring.parent.exists()) == (list(range(-1, 50)), False, False)


def test_a_living_sibling_takes_the_ring_over(receiver: OtlpReceiver, place: Place) -> None:
    sibling = place.start(receiver, 900_000, 1, "serve")
    sibling.stdout.readline()
    receiver.wait_for_log_records(1)
    receiver.refuse_connections()
    process = place.start(receiver, 0, 50, "kill")
    process.stdout.readline()
    kill(process)
    receiver.accept_again()
    receiver.wait_for_log_records(51, timeout_seconds=PATIENCE_SECONDS)
    ended = finish(sibling)
    assert ended.stdout.split() == ["True", "50"], ended.stderr
    # The sibling's own record comes again if the answer was on its way when connections were refused.
    assert [number for number in numbers(receiver) if number < 900_000] == [*range(50)]
    assert place.left() == []


@pytest.mark.parametrize("victim", ["parent", "child"])
def test_a_killed_child_or_parent_loses_nothing_and_the_other_takes_over(
    receiver: OtlpReceiver, place: Place, victim: str
) -> None:
    receiver.refuse_connections()
    parent = place.start(receiver, 1, 500, "forked")
    child = int(parent.stdout.readline().split()[1])
    wait_until(lambda: place.returned(8) == 1_000_501)
    assert len(place.rings()) == 2
    os.kill(child if victim == "child" else parent.pid, signal.SIGKILL)
    receiver.accept_again()
    # A child that kept its copies of the parent's descriptors would make the parent look alive.
    wait_until(lambda: receiver.log_record_count >= 1_001)
    assert numbers(receiver) == [*range(501), *range(1_000_001, 1_000_501)]
    os.kill(parent.pid if victim == "child" else child, signal.SIGKILL)
    parent.communicate()


def thread_states(process: int) -> list[str]:
    stats = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


def test_nobody_takes_the_ring_of_a_stopped_process(receiver: OtlpReceiver, place: Place) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 200, "serve")
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: all(state == "T" for state in thread_states(process.pid)))
    assert place.deliver(receiver).stderr == ""
    assert numbers(receiver) == [-1]
    process.send_signal(signal.SIGCONT)
    ended = finish(process)
    assert ended.stdout.split() == ["True", "0"], ended.stderr
    assert numbers(receiver) == list(range(-1, 200))
    assert place.left() == []


def test_a_process_that_runs_out_of_memory_loses_nothing(receiver: OtlpReceiver, place: Place) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 2_000, "memory")
    process.communicate(timeout=60)
    assert process.returncode < 0
    returned = place.returned()
    assert returned == 4_000, "the second half while nothing can be allocated"
    place.deliver(receiver)
    assert set(range(-1, returned)) <= set(numbers(receiver))


def test_recovered_records_pass_batch_processors(
    configure: Configure, receiver: OtlpReceiver, place: Place
) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 60, "kill")
    process.stdout.readline()
    kill(process)
    receiver.accept_again()
    seen: list[str] = []

    async def only_even(batch: LogBatch) -> list[ReadableLogRecord]:
        seen.extend(str(record.log_record.body) for record in batch)
        return [record for record in batch if int(str(record.log_record.body)) % 2 == 0]

    telemetry = configure(
        spool={"directory": place.spool},
        ring={"directory": place.ring},
        durability="process",
        batch_processors=[only_even],
    )
    fapilog.get_logger("orders").info("1000")
    wait_until(lambda: telemetry.ledger().adopted)
    assert telemetry.shutdown(10_000)
    ledger = telemetry.ledger()
    side = ledger.exporters["otlp"]
    assert (ledger.balanced, ledger.adopted, side.delivered) == (True, 60, 31)
    assert {reason: count for reason, count in side.dropped.items() if count} == {"processed": 30}
    assert sorted(seen, key=int) == [*map(str, range(60)), "1000"]
    assert numbers(receiver) == [*range(0, 60, 2), 1_000]
    assert place.left() == []


# How many of 401 records arrive after which damage; the next process logs one itself.
SALVAGED = {
    "first header": (401, 401),
    "both headers": (1, 1),
    "slots": (301, 400),
    "cut": (201, 400),
    "noise": (1, 1),
}


@pytest.mark.parametrize("damage", SALVAGED)
def test_a_damaged_ring_gives_what_is_whole_and_the_start_goes_on(
    receiver: OtlpReceiver, place: Place, damage: str
) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 400, "kill")
    process.stdout.readline()
    kill(process)
    [ring] = place.rings()
    content, noise = bytearray(ring.read_bytes()), seeded().randbytes
    if damage == "first header":
        content[:HEADER_BYTES] = noise(HEADER_BYTES)
    elif damage == "both headers":
        content[:PAGE] = noise(PAGE)
    elif damage == "slots":
        middle = content.index(b"xxxxxxxx")
        content[middle : middle + 1_000] = noise(1_000)
    elif damage == "cut":
        del content[content.rindex(b"xxxxxxxx") - 10_000 :]
    else:
        content[PAGE:] = noise(len(content) - PAGE)
    ring.write_bytes(content)
    ended = place.deliver(receiver)
    arrived = numbers(receiver)
    assert (ended.returncode, place.ring.name in ended.stderr) == (0, damage != "first header"), ended.stderr
    assert arrived[0] == -1
    assert set(arrived) <= set(range(-1, 400))
    at_least, at_most = SALVAGED[damage]
    assert at_least <= len(arrived) <= at_most
    assert place.rings() == []


def forget_the_boot(ring: Path) -> None:
    """Make the file one of an earlier boot: as after a loss of power, when all pages had reached the disk."""
    content = bytearray(ring.read_bytes())
    for at in (0, SECOND_COPY):
        content[at + 16] ^= 1
        content[at + 8 : at + 12] = struct.pack("<I", zlib.crc32(content[at + 12 : at + HEADER_BYTES]))
    ring.write_bytes(content)


def test_without_disk_and_slots_the_ring_is_a_full_buffer(
    configure: Configure, receiver: OtlpReceiver, place: Place
) -> None:
    receiver.refuse_connections()
    telemetry = configure(
        durability="process",
        spool={"directory": place.spool, "limit_bytes": 1 << 12, "segment_bytes": 1 << 12},
        ring={"directory": place.ring, "limit_bytes": 1 << 17},
        buffer={
            "chunk_bytes": 1 << 14,
            "record_bytes": 1 << 12,
            "schedule_delay_millis": 10,
            "overflow": "wait",
            "wait_timeout_millis": 20,
        },
    )
    log, noise = fapilog.get_logger("orders"), seeded().randbytes
    for number in range(1_000):
        log.info(str(number), padding=noise(200).hex())
        if telemetry.ledger().exporters["otlp"].dropped.get("wait_timeout"):
            break
    ledger = telemetry.ledger()
    lost = ledger.exporters["otlp"].dropped["wait_timeout"]
    assert (ledger.balanced, lost) == (True, 1)
    receiver.accept_again()
    assert telemetry.force_flush(10_000)
    log.info("5000")
    assert telemetry.shutdown(10_000)
    assert telemetry.ledger().balanced
    assert set(numbers(receiver)) >= {*range(number), 5_000}


def test_what_no_spool_takes_stays_in_the_ring_for_the_next_process(
    monkeypatch: pytest.MonkeyPatch, receiver: OtlpReceiver, place: Place
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    receiver.refuse_connections()
    telemetry = fapilog.configure_otel(
        "shop",
        exporters=["otlp"],
        otlp={"endpoint": receiver.logs_endpoint},
        durability="process",
        spool={"directory": place.spool, "min_free_bytes": 1 << 60},
        ring={"directory": place.ring, "limit_bytes": 1 << 20},
    )
    for number in range(100):
        fapilog.get_logger("orders").info(str(number))
    assert not telemetry.shutdown(200)
    ledger = telemetry.ledger()
    side = ledger.exporters["otlp"]
    assert (ledger.balanced, side.pending, sum(side.dropped.values())) == (True, 100, 0)
    assert place.deliver(receiver).returncode == 0
    assert numbers(receiver) == list(range(-1, 100))
    assert place.left() == []


def test_what_the_place_cannot_give_is_refused_at_start(
    configure: Configure, tmp_path: Path, place: Place
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    memory = Path(f"/dev/shm/fapilog-test-{os.getpid()}")
    cases = {
        "which does not survive a loss of power": ("power", memory),
        "is not this user's alone": ("process", shared),
        "could not make": ("process", Path("/proc/ring")),
        "no room for the crash ring": ("process", place.ring),
    }
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for text, (level, directory) in cases.items():
            if directory == place.ring:
                # As a file system that is too small: no file may be longer.
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, most))
            with pytest.raises(ConfigurationError, match=f"durability {level} cannot be given.*{text}"):
                configure(durability=level, spool={"directory": place.spool}, ring={"directory": directory})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        shutil.rmtree(memory, ignore_errors=True)
