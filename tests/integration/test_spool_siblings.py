"""A worker is killed beside another one, and a disk refuses what is written: nobody restarts anything."""

from pathlib import Path

from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.harness import finish, in_order, loss_reports, start
from tests.integration.spools import files


def test_a_sibling_delivers_what_a_killed_worker_left_while_it_goes_on(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = str(tmp_path / "spool")
    receiver.refuse_connections()
    killed = start("spooling.py", receiver.logs_endpoint, "wait", "0", "4000", FAPILOG_SPOOL_DIRECTORY=spool)
    living = start("spooling.py", receiver.logs_endpoint, "wait", "9000", "1", FAPILOG_SPOOL_DIRECTORY=spool)
    spooled = int(killed.stdout.readline().split()[1])
    living.stdout.readline()
    killed.kill()
    killed.communicate()
    receiver.accept_again()
    wait_until(lambda: receiver.log_record_count >= spooled + 1)
    assert living.poll() is None, "it delivers while it lives"
    finish(living)
    theirs = [record for record in receiver.log_records if record.body != "9000"]
    numbers = [int(record.body) for record in in_order(theirs)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= spooled > 2_000
    assert files(tmp_path / "spool") == []


def test_a_disk_that_refuses_what_is_written_is_said_once_and_used_again_when_it_takes_it(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    receiver.refuse_connections()
    process = start(
        "on_failing_disk.py",
        receiver.logs_endpoint,
        FAPILOG_SPOOL_DIRECTORY=str(tmp_path / "spool"),
    )
    said = [process.stdout.readline() for _ in range(2)]
    receiver.accept_again()
    ended = finish(process)
    assert [*said, ended.stdout] == ["True True\n", "True\n", "True\nTrue 0 0 True\n"], ended.stderr
    lines = ended.stderr.splitlines()
    assert sum("and the disk is tried again" in line for line in lines) == 1, ended.stderr
    assert sum("takes blocks again" in line for line in lines) == 1
    assert loss_reports(receiver)
