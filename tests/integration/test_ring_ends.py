"""Crash rings and the ends of processes: what comes twice, what a fork keeps, what is said of the rest."""

import os
import signal
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from fapilog.testing import Ok, OtlpReceiver
from fapilog.testing.answers import Exchange
from tests.integration.beside import wait_until
from tests.integration.harness import start
from tests.integration.test_crash_ring import Place, kill, numbers, place

__all__ = ["place"]


def program(receiver: OtlpReceiver, place: Place, name: str, *arguments: object, **variables: str) -> Any:
    texts = map(str, arguments)
    return start(name, receiver.logs_endpoint, *texts, **place.variables("process"), **variables)


@dataclass
class TakenUnanswered:
    """Takes the records and never answers: the process cannot know that they arrived."""

    never: threading.Event = field(default_factory=threading.Event)

    def send(self, exchange: Exchange) -> None:
        exchange.accept_records()
        exchange.hold_until(self.never)
        exchange.close()


def test_only_what_was_under_way_at_the_kill_comes_twice(receiver: OtlpReceiver, place: Place) -> None:
    process = place.start(receiver, 0, 1_000, "stages")
    assert process.stdout.readline() == "True\n"
    assert numbers(receiver) == list(range(1_000))
    unanswered = TakenUnanswered()
    receiver.answer_always_with(unanswered)
    process.stdin.write("go on\n")
    process.stdin.flush()
    process.stdout.readline()
    wait_until(lambda: receiver.log_record_count > 1_000)
    kill(process)
    unanswered.never.set()
    receiver.refuse_connections()
    receiver.answer_always_with(Ok())
    assert place.deliver(receiver).stderr == ""
    arrived = Counter(numbers(receiver))
    assert set(arrived) == set(range(-1, 2_000))
    # What the ledger called delivered comes once; of the rest, what the receiver had at the kill comes twice.
    assert {number for number, times in arrived.items() if times > 1} <= set(range(1_000, 2_000))
    assert max(arrived.values()) <= 2


def test_a_child_does_not_keep_the_rings_that_its_dead_parent_had_taken_over(
    receiver: OtlpReceiver, place: Place
) -> None:
    receiver.refuse_connections()
    first = place.start(receiver, 0, 50, "kill")
    first.stdout.readline()
    kill(first)
    parent = program(receiver, place, "keeper.py", 50)
    child = int(parent.stdout.readline())
    try:
        assert len(place.rings()) == 2
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert place.deliver(receiver).stderr == ""
        assert numbers(receiver) == [-3, -1, *range(50)]
        os.kill(child, 0)
        assert place.left() == []
    finally:
        os.kill(child, signal.SIGKILL)
        parent.communicate()


@pytest.mark.parametrize("who", ["next start", pytest.param("sibling", marks=pytest.mark.long)])
def test_of_forked_workers_one_is_killed_and_others_deliver_its_records(
    receiver: OtlpReceiver, place: Place, who: str
) -> None:
    receiver.refuse_connections()
    parent = program(receiver, place, "prefork.py", 100)
    workers = [int(parent.stdout.readline().split()[1]) for _ in range(3)]
    everybody = {-2, *(worker * 1_000 + number for worker in range(3) for number in range(100))}
    try:
        assert len(place.rings()) == 4
        os.kill(workers[0], signal.SIGKILL)
        if who == "sibling":
            receiver.accept_again()
            wait_until(lambda: set(numbers(receiver)) == everybody)
            return
        for process in [*workers[1:], parent.pid]:
            os.kill(process, signal.SIGKILL)
        parent.wait()
        assert place.deliver(receiver).stderr == ""
        arrived = numbers(receiver)
        assert (set(arrived), len(arrived)) == ({-1, *everybody}, len(everybody) + 1)
        assert place.left() == []
    finally:
        for process in [*workers, parent.pid]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        parent.communicate()


@pytest.mark.parametrize("way", ["sigterm", "return"])
def test_records_that_stay_in_the_ring_are_not_said_to_be_lost(
    receiver: OtlpReceiver, place: Place, way: str
) -> None:
    receiver.refuse_connections()
    nothing_fits = {"FAPILOG_SPOOL_MIN_FREE_BYTES": str(1 << 50), "FAPILOG_EXIT_REPORT": "true"}
    process = program(receiver, place, "kept.py", 100, way, **nothing_fits)
    process.stdout.readline()
    [ring] = place.rings()
    if way == "sigterm":
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGTERM if way == "sigterm" else 0)
    assert f"100 records are kept in the crash ring {ring} for the next process." in said
    assert "not delivered" not in said
    assert "= delivered 0 + rejected 0 + pending 100 (100 in the crash ring)" in said
    assert place.deliver(receiver).returncode == 0
    assert numbers(receiver) == list(range(-1, 100))
    assert place.left() == []
