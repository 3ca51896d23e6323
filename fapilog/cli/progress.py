"""A progress bar on standard error, by bytes, where a person can see it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

# A bar that is drawn for each line costs more than the line.
_STEP_BYTES = 256 * 1024


@contextmanager
def by_bytes(size: int | None) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many bytes more were read.

    Args:
        size: Bytes altogether; None: nobody knows, so there is no bar.
    """
    if not size or not sys.stderr.isatty():
        yield lambda _read: None
        return
    with typer.progressbar(length=size, file=sys.stderr) as bar:
        waiting = 0

        def advance(read: int) -> None:
            nonlocal waiting
            waiting += read
            if waiting >= _STEP_BYTES:
                bar.update(waiting)
                waiting = 0

        yield advance
        bar.update(waiting)
