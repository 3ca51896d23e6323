"""Stage 4 of 7, append: how an awaited call waits under `overflow="wait"`. Thread: caller, an event loop.

A native thread never calls into a loop (it would need the interpreter), so the awaiting task looks again,
soon at first and then less often.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fapilog._native import PendingRecord

_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05


async def wait_for_room(pending: PendingRecord) -> None:
    """Yield to the event loop until the record is stored or its deadline has passed."""
    import asyncio  # noqa: PLC0415 - loaded already: a loop is running

    pause = _FIRST_PAUSE_SECONDS
    while not pending.attempt():
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def on_event_loop() -> bool:
    """Tell whether the calling thread runs an asyncio event loop now."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
