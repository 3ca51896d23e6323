"""A disk that does not answer, such as a network file system without its server, holds up nobody."""

import signal
from pathlib import Path
from typing import Any

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.harness import finish, run, start
from tests.integration.preloaded import NEEDS_COMPILER, compiled

pytestmark = NEEDS_COMPILER


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled("hanging_disk", tmp_path_factory.mktemp("disk"))


def environment(library: str, tmp_path: Path) -> dict[str, Any]:
    return {
        "LD_PRELOAD": library,
        "HANG": str(tmp_path / "hang"),
        "FAPILOG_SPOOL_DIRECTORY": str(tmp_path / "spool"),
    }


def test_calls_flushes_and_the_end_do_not_wait_for_it(
    library: str, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    receiver.refuse_connections()
    variables = environment(library, tmp_path)
    ended = run("on_hanging_disk.py", receiver.logs_endpoint, "shutdown", "2000", **variables)
    assert ended.stdout.splitlines() == ["called False True", "True True True"], ended.stderr
    assert "did not take what was left in time" in ended.stderr


@pytest.mark.long
def test_a_start_waits_for_it_a_few_seconds_and_logs_from_memory(
    library: str, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    ended = run(
        "on_hanging_disk.py", receiver.logs_endpoint, "configure", "0", **environment(library, tmp_path)
    )
    said = ["configured True", "delivered True", "at the end True True"]
    assert (ended.stdout.splitlines(), ended.returncode) == (said, 0), ended.stderr
    assert [record.body for record in receiver.log_records] == ["from memory"]


def test_delivery_goes_on_without_it(library: str, receiver: OtlpReceiver, tmp_path: Path) -> None:
    receiver.refuse_connections()
    variables = environment(library, tmp_path)
    process = start("on_hanging_disk.py", receiver.logs_endpoint, "deliver", "2000", **variables)
    assert [process.stdout.readline() for _ in range(2)] == ["called False True\n", "ready\n"]
    receiver.accept_again()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "delivers\n"
    assert finish(process).returncode == 0


def test_a_child_forked_meanwhile_does_not_keep_the_parents_directory(
    library: str, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    receiver.refuse_connections()
    variables = environment(library, tmp_path)
    process = start("on_hanging_disk.py", receiver.logs_endpoint, "fork", "2000", **variables)
    assert [process.stdout.readline() for _ in range(2)] == ["called False True\n", "forked\n"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    receiver.accept_again()
    spool = variables["FAPILOG_SPOOL_DIRECTORY"]
    # The child lives, and whoever comes next takes the directory over all the same.
    run("spooling.py", receiver.logs_endpoint, "return", "0", "1", FAPILOG_SPOOL_DIRECTORY=spool)
    assert receiver.log_record_count > 100
