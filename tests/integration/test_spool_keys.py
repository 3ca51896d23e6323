"""The encrypted spool, with real files: nothing readable on the disk, and every record arrives in the end."""

import base64
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import fapilog
from fapilog import SpoolKeys
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.harness import run
from tests.integration.spools import BUFFER, OTLP, files, log_all

Configure = Callable[..., fapilog.Telemetry]
KEYS = {1: b"\x01" * 32, 2: b"\x02" * 32}


def written(spool: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(spool.rglob("seg-*")))


def key_file(path: Path, *ids: int) -> Path:
    path.write_text("".join(f"{each}:{base64.b64encode(KEYS[each]).decode()}\n" for each in ids))
    path.chmod(0o600)
    return path


def key_ids(spool: Path) -> set[int]:
    """Ids in the headers of the blocks: `docs/reference/spool_format.md`, S4."""
    content, found, at = written(spool), set(), 0
    while (at := content.find(b"FSPB", at)) >= 0:
        found.add(int.from_bytes(content[at + 56 : at + 60], "little"))
        at += 64
    return found


def test_records_on_disk_cannot_be_read_and_all_arrive(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    receiver.refuse_connections()
    telemetry = configure(
        spool={"directory": spool, "key_provider": lambda: SpoolKeys(KEYS, 2)}, buffer=BUFFER, otlp=OTLP
    )
    log_all(3_000)
    wait_until(lambda: telemetry.ledger().exporters["otlp"].spooled > 1_000)
    content = written(spool)
    assert (b"xxxxxxxx" in content, b"padding" in content) == (False, False)
    assert key_ids(spool) == {2}
    receiver.accept_again()
    assert telemetry.shutdown(30_000)
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(3_000))
    assert files(spool) == []


def test_without_keys_the_same_records_can_be_read_on_disk(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    receiver.refuse_connections()
    telemetry = configure(spool={"directory": spool}, buffer=BUFFER, otlp=OTLP)
    log_all(3_000)
    wait_until(lambda: telemetry.ledger().exporters["otlp"].spooled > 1_000)
    assert b"xxxxxxxx" in written(spool)
    receiver.accept_again()


def test_a_key_is_rotated_while_the_process_runs(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool, keys = tmp_path / "spool", key_file(tmp_path / "keys", 1)
    receiver.refuse_connections()
    telemetry = configure(
        spool={"directory": spool, "key_provider": f"file:{keys}", "key_refresh_seconds": 1},
        buffer=BUFFER,
        otlp=OTLP,
    )
    log_all(2_000)
    wait_until(lambda: key_ids(spool) == {1})
    key_file(keys, 2, 1)
    log = fapilog.get_logger("orders")
    logged = 2_000
    while key_ids(spool) != {1, 2}:
        log.info(str(logged), padding="x" * 500)
        logged += 1
    receiver.accept_again()
    assert telemetry.shutdown(30_000)
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(logged))
    assert files(spool) == []


def test_records_of_an_ended_process_wait_for_their_key(receiver: OtlpReceiver, tmp_path: Path) -> None:
    spool, keys = tmp_path / "spool", tmp_path / "keys"
    environ = {"FAPILOG_SPOOL_DIRECTORY": str(spool), "FAPILOG_SPOOL_KEY_PROVIDER": f"file:{keys}"}
    receiver.refuse_connections()
    key_file(keys, 1)
    first = run("spooling.py", receiver.logs_endpoint, "return", "0", "50", **environ)
    assert "50 records wait in the spool" in first.stderr, first.stderr
    receiver.accept_again()
    key_file(keys, 2)
    second = run("spooling.py", receiver.logs_endpoint, "return", "50", "10", **environ)
    assert "50 records in the spool" in second.stderr, second.stderr
    assert "with a key that was not given: 1;" in second.stderr
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(50, 60))
    key_file(keys, 2, 1)
    third = run("spooling.py", receiver.logs_endpoint, "return", "60", "1", **environ)
    assert third.stderr == ""
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(61))
    assert files(spool) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_encrypts_too(configure: Configure, receiver: OtlpReceiver, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    asked_in = tmp_path / "asked"

    def give() -> SpoolKeys:
        with asked_in.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return SpoolKeys(KEYS, 1)

    receiver.refuse_connections()
    configure(spool={"directory": spool, "key_provider": give}, buffer=BUFFER, otlp=OTLP)
    child = os.fork()
    if child == 0:
        try:
            log_all(3_000)
            wait_until(lambda: str(os.getpid()) in asked_in.read_text().split())
            wait_until(lambda: key_ids(spool))
        finally:
            os._exit(0 if key_ids(spool) == {1} and b"xxxxxxxx" not in written(spool) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert key_ids(spool) == {1}


def test_a_shut_down_provider_leaves_no_watcher(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    before = set(threading.enumerate())
    spool = {"directory": tmp_path / "spool", "key_provider": lambda: SpoolKeys(KEYS, 1)}
    telemetry = configure(spool=spool, buffer=BUFFER, otlp=OTLP)
    log_all(1)
    (watcher,) = [thread for thread in set(threading.enumerate()) - before if thread.name == "fapilog-keys"]
    assert telemetry.shutdown(30_000)
    watcher.join(30)
    assert not watcher.is_alive()
    assert receiver.log_record_count == 1


def is_memory(path: Path) -> bool:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [(point, kind) for point, kind in mounts if path.resolve().is_relative_to(point)]
    return max(inside, key=lambda mount: len(mount[0]))[1] in ("tmpfs", "ramfs")


@pytest.mark.parametrize("level", ["process", "power"])
def test_an_unencrypted_ring_on_a_disk_is_refused_beside_an_encrypted_spool(
    configure: Configure, tmp_path: Path, level: str
) -> None:
    if is_memory(tmp_path):
        pytest.skip("files of the tests are in memory here")
    ring = tmp_path / "ring"
    spool = {"directory": tmp_path / "spool", "key_provider": lambda: SpoolKeys(KEYS, 2)}
    with pytest.raises(ConfigurationError) as caught:
        configure(durability=level, spool=spool, ring={"directory": ring})
    said = str(caught.value)
    assert "the crash ring would keep records unencrypted on the disk of" in said
    assert "do: use durability 'process' with ring.directory on a tmpfs" in said
    assert KEYS[2].decode() not in said
    assert [path for path in ring.rglob("*") if path.is_file()] == []
    # Without encryption, or with the ring in memory, it may be.
    configure(durability=level, spool={"directory": tmp_path / "spool"}, ring={"directory": ring}).shutdown()


def test_a_forked_child_whose_ring_may_lie_nowhere_goes_without_it_and_says_so(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    if is_memory(tmp_path):
        pytest.skip("files of the tests are in memory here")
    ended = run("ringless_child.py", receiver.logs_endpoint, str(tmp_path / "spool"))
    assert (ended.returncode, ended.stdout) == (0, "child: True 1\n"), ended.stderr
    assert "this forked process goes without an exporter, the spool or the crash ring: " in ended.stderr
    assert "the crash ring would keep records unencrypted on the disk of" in ended.stderr
    assert sorted(str(record.body) for record in receiver.log_records) == ["child's", "parent's"]


def test_encryption_that_begins_later_names_the_unencrypted_ring_on_a_disk(
    configure: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if is_memory(tmp_path):
        pytest.skip("files of the tests are in memory here")
    current: list[int | None] = [None]
    spool = {"directory": tmp_path / "spool", "key_provider": lambda: SpoolKeys(KEYS, current[0])}
    telemetry = configure(
        durability="process",
        spool={**spool, "key_refresh_seconds": 1},
        ring={"directory": tmp_path / "ring"},
    )
    log = fapilog.get_logger("orders")
    log.info("before")
    assert "unencrypted" not in capfd.readouterr().err
    # A native notice is written to the descriptor, as a sentence without its code.
    current[0] = 2
    said = ""

    def is_said() -> bool:
        nonlocal said
        log.info("a call tells what there is to say")
        said += capfd.readouterr().err
        return "until this process ends" in said

    wait_until(is_said)
    assert f"keeps records unencrypted on the disk of {tmp_path / 'ring'} until this process ends" in said
    assert telemetry.shutdown()


def test_a_ring_in_memory_may_stand_beside_an_encrypted_spool(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    memory = Path(f"/dev/shm/fapilog-keys-{os.getpid()}")
    if not is_memory(memory.parent):
        pytest.skip("/dev/shm is no memory here")
    spool = {"directory": tmp_path / "spool", "key_provider": lambda: SpoolKeys(KEYS, 2)}
    try:
        telemetry = configure(
            durability="process", spool=spool, ring={"directory": memory, "limit_bytes": 1 << 20}, otlp=OTLP
        )
        fapilog.get_logger("orders").info("kept")
        assert telemetry.shutdown(10_000)
        assert [record.body for record in receiver.log_records] == ["kept"]
    finally:
        shutil.rmtree(memory, ignore_errors=True)
