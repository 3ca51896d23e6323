"""Built-in enrichers `asyncio` and `thread`: who logs. Asked for each record, on the caller."""

from __future__ import annotations

import asyncio
import threading

from fapilog.enrichers.base import Source
from fapilog.settings import Settings


def asyncio_source(_settings: Settings) -> Source:
    """Make the enricher `asyncio`: `asyncio.task.name`, inside of a task."""
    return Source("asyncio", ask=task)


def thread_source(_settings: Settings) -> Source:
    """Make the enricher `thread`: `thread.id` and `thread.name` (semantic conventions)."""
    return Source("thread", ask=thread)


def task() -> dict[str, str] | None:
    """Return the name of the task that runs now; None outside of any."""
    try:
        current = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
    return None if current is None else {"asyncio.task.name": current.get_name()}


def thread() -> dict[str, int | str]:
    """Return the identifier and the name of the calling thread."""
    return {"thread.id": threading.get_ident(), "thread.name": threading.current_thread().name}
