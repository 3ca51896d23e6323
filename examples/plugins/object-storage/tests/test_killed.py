"""A process that is killed, with a spool: the next one sends a batch again that had arrived."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """\
import asyncio
import os
import signal
import sys
import threading

from fapilog import LoggerProvider, Settings

from object_storage import ObjectStorageExporter

spool, killed = sys.argv[1], sys.argv[2] == "killed"
emitted = threading.Event()


class Killed(ObjectStorageExporter):
    batches = 0

    async def export_batch(self, batch):
        await asyncio.to_thread(emitted.wait)
        outcome = await super().export_batch(batch)
        self.batches += 1
        if killed and self.batches == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


exporter = Killed(bucket=sys.argv[3], endpoint_url=sys.argv[4])
settings = Settings.load(
    environ={},
    durability="process",
    spool={"directory": f"{spool}/spool"},
    ring={"directory": f"{spool}/ring"},
    buffer={"schedule_delay_millis": 5, "max_block_records": 20},
)
with LoggerProvider(settings=settings, exporters=[exporter]) as provider:
    if killed:
        for number in range(100):
            provider.get_logger("shop").emit(body=f"record {number}")
    emitted.set()
    if not killed:
        provider.get_logger("shop").emit(body="back")  # the first record starts everything
        sys.stdin.readline()  # until all of it has arrived
    assert provider.force_flush(60_000)
    print(exporter.statistics.objects)
"""


DEADLINE_SECONDS = 100.0


def start(tmp_path, *words):
    program = tmp_path / "shop.py"
    program.write_text(PROGRAM)
    paths = [str(Path(__file__).parents[1]), *(path for path in sys.path if path)]
    return subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_one_and_let_another_adopt(tmp_path, where, count):
    """Return what the second process printed, once everything has arrived."""
    with start(tmp_path, "killed", *where) as first:
        _, err = first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode == -signal.SIGKILL, err
    with start(tmp_path, "adopts", *where) as second:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while count() < 101 and second.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            out, err = second.communicate("end\n", timeout=DEADLINE_SECONDS)
        finally:
            second.kill()
    assert second.returncode == 0, err
    return out.strip()


def test_what_is_sent_again_from_a_spool_is_there_once(storage, tmp_path):
    where = storage.bucket, storage.server.url
    stored = kill_one_and_let_another_adopt(tmp_path, where, lambda: len(storage.records()))
    bodies = sorted(record["body"]["stringValue"] for record in storage.records())
    assert bodies == sorted(["back", *(f"record {number}" for number in range(100))])
    # The one that the kill followed, at least, was stored again, under the same name.
    assert (len(storage.keys()), int(stored) >= 2) == (6, True)
