"""Time spent in plugins, added up."""

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
    assert timings.snapshot() == {("enricher", "user"): Spent(1, 1, 1.0)}


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
