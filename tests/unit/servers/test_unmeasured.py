"""Tests that are not measured are traced no more than their threads, and what follows is as before."""

import sys
import threading
from typing import Any

from tests.unmeasured import unmeasured


def traced() -> tuple[bool, bool]:
    """Whether this thread and one that starts now are traced."""
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(sys.gettrace() is not None))
    thread.start()
    thread.join()
    return sys.gettrace() is not None, found[0]


def test_nothing_is_traced_inside_and_everything_as_before_after_it() -> None:
    def trace(*_: Any) -> None: ...

    before = sys.gettrace(), threading.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        with unmeasured():
            inside = traced()
        with unmeasured(when=False):
            assert traced() == (True, True)
        after, told = traced(), (sys.gettrace(), threading.gettrace())
    finally:
        threading.settrace(before[1])  # type: ignore[arg-type]
        sys.settrace(before[0])
    assert (inside, after, told) == ((False, False), (True, True), (trace, trace))
