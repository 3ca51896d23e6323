"""Tests without coverage: others run the same lines, and to trace them takes twice as long as to run them."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unmeasured(*, when: bool = True) -> Iterator[None]:
    """Traces no line inside, in this thread and in those that start inside.

    Python 3.11 runs all code slower while anything is traced, so that code outside of fapilog gains as well.
    """
    if not when:
        yield
        return
    here, in_new_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        threading.settrace(in_new_threads)  # type: ignore[arg-type]
        sys.settrace(here)
