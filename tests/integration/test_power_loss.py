"""A loss of power takes what was not forced to the disk; a library in front of `fdatasync` says what was."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.harness import run, start
from tests.integration.preloaded import NEEDS_COMPILER, compiled
from tests.integration.test_crash_ring import PAGE, Place, forget_the_boot, kill, numbers

pytestmark = NEEDS_COMPILER
PATIENCE_SECONDS = 10.0
CHECKPOINT_BYTES = 32  # R6 of docs/reference/ring_format.md


class Disk:
    """A directory whose disk can lose its power, and the images of what was forced to it."""

    def __init__(self, library: str, folder: Path) -> None:
        self.root, self.images, self.hold = folder / "disk", folder / "images", folder / "hold"
        self.root.mkdir()
        self.images.mkdir()
        self.variables = {
            "LD_PRELOAD": library,
            "DISK": str(self.root),
            "IMAGES": str(self.images),
            "HOLD": str(self.hold),
        }

    def image(self, path: Path) -> bytes | None:
        """What a file or directory would be after a loss of power; None: it was never forced to the disk."""
        return self.image_of(path.stat().st_ino)

    def image_of(self, inode: int) -> bytes | None:
        image = self.images / str(inode)
        return image.read_bytes() if image.exists() else None

    def times_forced(self, path: Path) -> int:
        log = self.images / "log"
        return log.read_text().splitlines().count(str(path.stat().st_ino)) if log.exists() else 0

    def lose_power(self) -> None:
        """Makes everything what it would be; nobody uses the disk any more."""
        for path in [*self.root.rglob("*")]:
            names, content = self.image(path.parent), self.image(path)
            if path.is_dir():
                assert path.name in (names or b"").decode().split(), f"the name {path} is not on the disk"
            elif content is None or path.name not in (names or b"").decode().split():
                path.unlink()
            else:
                path.write_bytes(content)


class Powered(Place):
    """A ring and a spool on such a disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.root)
        self.disk = disk
        self.told.rename(disk.images / "told")
        self.told = disk.images / "told"

    def start(self, receiver: OtlpReceiver, *arguments: object, level: str = "process", **others: str) -> Any:
        variables = self.variables(level) | self.disk.variables | others
        return start("killed.py", receiver.logs_endpoint, str(self.told), *map(str, arguments), **variables)

    def covered(self, inode: int) -> int:
        """Records of a ring that a loss of power leaves."""
        return sum(checkpoints((self.disk.image_of(inode) or b"")[PAGE : 2 * PAGE]))

    def lose_power(self) -> None:
        self.disk.lose_power()
        for ring in self.rings():
            forget_the_boot(ring)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled("losing_disk", tmp_path_factory.mktemp("library"))


@pytest.fixture
def disk(library: str, tmp_path: Path) -> Disk:
    return Disk(library, tmp_path)


@pytest.fixture
def place(disk: Disk) -> Powered:
    return Powered(disk)


def checkpoints(slots: bytes) -> Iterator[int]:
    """Records that the newest intact checkpoint of each slot covers."""
    for at in range(0, len(slots), 2 * CHECKPOINT_BYTES):
        newest = (0, 0, 0)
        for turn in (0, CHECKPOINT_BYTES):
            checkpoint = slots[at + turn : at + turn + CHECKPOINT_BYTES]
            checksum, epoch, length, records = struct.unpack_from("<I4xQII", checkpoint)
            if epoch and zlib.crc32(checkpoint[8:]) == checksum:
                newest = max(newest, (epoch, length, records))
        yield newest[2]


def test_at_level_power_records_are_forced_to_the_disk_within_the_interval(
    receiver: OtlpReceiver, place: Powered
) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 300, "kill", level="power")
    process.stdout.readline()
    [ring] = place.rings()
    inode = ring.stat().st_ino
    wait_until(lambda: place.covered(inode) == 300, "an fdatasync of all records", PATIENCE_SECONDS)
    kill(process)
    place.lose_power()
    place.deliver(receiver)
    assert numbers(receiver) == list(range(-1, 300))


def test_a_loss_of_power_under_load_takes_only_what_was_logged_since_the_last_interval(
    receiver: OtlpReceiver, place: Powered
) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 10_000_000, "kill", level="power")
    wait_until(lambda: place.returned() > 1_000)
    returned, [ring] = place.returned(), place.rings()
    # One may be under way; the one after it begins after those calls.
    enough = place.disk.times_forced(ring) + 2
    wait_until(lambda: place.disk.times_forced(ring) >= enough, "two more intervals", PATIENCE_SECONDS)
    kill(process)
    place.lose_power()
    place.deliver(receiver)
    assert set(range(-1, returned)) <= set(numbers(receiver))


def test_the_ring_of_a_process_that_was_killed_before_its_first_interval_is_forced_when_it_is_taken_over(
    receiver: OtlpReceiver, place: Powered
) -> None:
    receiver.refuse_connections()
    never = {"FAPILOG_RING_SYNC_INTERVAL_MILLIS": "3600000"}
    process = place.start(receiver, 0, 100, "kill", level="power", **never)
    process.stdout.readline()
    [ring] = place.rings()
    # The file may be gone soon: in an outage, what was taken over moves to the spool after a while.
    inode = ring.stat().st_ino
    assert place.covered(inode) == 0
    kill(process)
    heir = place.start(receiver, 1_000, 1, "kill", level="power")
    heir.stdout.readline()
    wait_until(lambda: place.covered(inode) == 100, "an fdatasync of what was taken over", PATIENCE_SECONDS)
    kill(heir)
    place.lose_power()
    place.deliver(receiver)
    assert {*range(-1, 100)} <= set(numbers(receiver)) <= {*range(-1, 100), 1_000}


def test_at_level_process_nothing_waits_for_a_disk(receiver: OtlpReceiver, place: Powered) -> None:
    receiver.refuse_connections()
    process = place.start(receiver, 0, 300, "kill", level="process")
    process.stdout.readline()
    [ring] = place.rings()

    def threads() -> list[str]:
        return [path.read_text().strip() for path in Path(f"/proc/{process.pid}/task").glob("*/comm")]

    # Threads name themselves. A thread that forces would be started between these two.
    wait_until(lambda: {"fapilog-spool", "fapilog-adopt"} <= set(threads()), "the threads of the spool")
    forced = place.disk.times_forced(ring)
    is_synced = "fapilog-sync" in threads()
    kill(process)
    assert (forced, is_synced) == (0, False)


def test_a_block_is_on_disk_only_when_it_was_forced_there(
    receiver: OtlpReceiver, disk: Disk, tmp_path: Path
) -> None:
    receiver.refuse_connections()
    disk.hold.touch()
    spool = {"FAPILOG_SPOOL_DIRECTORY": str(disk.root / "spool"), "FAPILOG_SPOOL_FSYNC": "always"}
    process = start("on_held_disk.py", receiver.logs_endpoint, **spool, **disk.variables)
    assert process.stdout.readline() == "0\n"
    spooled = int(process.stdout.readline())
    kill(process)
    disk.lose_power()
    receiver.accept_again()
    run("spooling.py", receiver.logs_endpoint, "return", "-1", "1", **spool)
    # What did not fit into memory meanwhile was dropped, so that there are gaps.
    assert spooled > 0
    assert len(set(numbers(receiver))) >= spooled + 1
