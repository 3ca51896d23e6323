"""Signals that meet a call which is blocked under `wait`: it ends, and its record is counted."""

import os
import signal
import subprocess
import threading

import pytest

from fapilog.testing import Hold, OtlpReceiver
from tests.integration.harness import bodies, finish, start


@pytest.fixture
def held(receiver: OtlpReceiver) -> threading.Event:
    """The receiver answers nothing until this is set."""
    event = threading.Event()
    receiver.answer_always_with(Hold(event))
    return event


def blocked(receiver: OtlpReceiver) -> subprocess.Popen[str]:
    process: subprocess.Popen[str] = start("blocked.py", receiver.logs_endpoint)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_sigterm_ends_a_blocked_process_and_the_ledger_counts_what_waited(
    receiver: OtlpReceiver, held: threading.Event
) -> None:
    process = blocked(receiver)
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    held.set()
    assert ended.returncode == -signal.SIGTERM
    assert "fapilog: offered 6 = filtered 0 + accepted 6\n" in ended.stderr
    assert "otlp: accepted 6 = delivered 0 + rejected 0 + pending 6\n" in ended.stderr
    assert "6 records were not delivered before the process ended." in ended.stderr


def test_control_c_ends_the_wait_and_not_the_record(receiver: OtlpReceiver, held: threading.Event) -> None:
    process = blocked(receiver)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "interrupted\n"
    held.set()
    ended = finish(process)
    assert ended.returncode == 0
    assert bodies(receiver)[-1] == "blocked"
    assert "otlp: accepted 6 = delivered 6 + rejected 0 + pending 0\n" in ended.stderr


def test_a_process_that_was_stopped_while_it_waits_goes_on(
    receiver: OtlpReceiver, held: threading.Event
) -> None:
    process = blocked(receiver)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    process.send_signal(signal.SIGCONT)
    held.set()
    ended = finish(process)
    assert (ended.returncode, ended.stdout) == (0, "returned\n")
    assert bodies(receiver) == ["0", "1", "2", "3", "4", "blocked"]
    assert "otlp: accepted 6 = delivered 6 + rejected 0 + pending 0\n" in ended.stderr
