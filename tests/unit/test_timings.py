"""Time spent in plugins, added up."""

import os
import threading

import pytest

from fapilog.timings import Spent, Timings


def ticking(step: float = 1.0):
    """A clock that goes on by `step` at each look."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    return clock


def test_calls_of_one_plugin_are_added_up():
    timings = Timings(ticking())
    for _ in range(3):
        with timings.measure("exporter", "memory"):
            pass
    timings.add("processor", "redact", 0.25)
    assert timings.snapshot() == {
        ("exporter", "memory"): Spent(3, 0, 3.0),
        ("processor", "redact"): Spent(1, 0, 0.25),
    }


def test_a_call_that_raises_is_counted_as_failed_and_still_raises():
    timings = Timings(ticking())
    with pytest.raises(ZeroDivisionError), timings.measure("enricher", "user"):
        raise ZeroDivisionError
    assert timings.snapshot() == {("enricher", "user"): Spent(1, 1, 1.0, failing=1)}


def test_threads_lose_no_call():
    timings = Timings()
    threads = [
        threading.Thread(target=lambda: [timings.add("exporter", "x", 1.0) for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timings.snapshot() == {("exporter", "x"): Spent(2_000, 0, 2_000.0)}


def test_of_calls_for_each_record_every_sixteenth_is_timed_and_stands_for_those_since_the_last():
    timings = Timings(ticking())
    meter = timings.meter("enricher", "user")
    spent = []
    for _ in range(33):
        meter.end(meter.begin())
        spent.append(timings.snapshot()["enricher", "user"].seconds)
    assert spent == [1.0] * 16 + [17.0] * 16 + [33.0]
    assert timings.meter("enricher", "user") is meter
    assert timings.snapshot() == {("enricher", "user"): Spent(33, 0, 33.0)}


def test_a_failure_counts_whether_its_call_is_timed_or_not():
    timings = Timings(ticking())
    meter = timings.meter("enricher", "user")
    for _ in range(3):
        meter.end(meter.begin(), failed=True)
    timings.add("enricher", "user", 2.0, failed=True)
    timings.meter("enricher", "never asked")
    assert timings.snapshot() == {("enricher", "user"): Spent(4, 4, 3.0, failing=4)}


def test_threads_lose_no_call_of_a_meter():
    meter = Timings().meter("enricher", "x")
    threads = [
        threading.Thread(target=lambda: [meter.end(meter.begin(), failed=True) for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.spent[:2] == (2_000, 2_000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_counts_on_whatever_lock_another_thread_held():
    timings = Timings()
    meter = timings.meter("enricher", "x")
    timings.operations.finished("exporter", 1.0, "")
    with timings._lock, meter._lock, timings.operations._lock:
        pid = os.fork()
        if pid == 0:
            meter.end(meter.begin())
            counted = timings.snapshot()["enricher", "x"].calls
            os._exit(0 if (counted, timings.operations.take("exporter")) == (1, []) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
