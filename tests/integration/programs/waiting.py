"""How a program under test waits for a signal."""

import os
import time


def wait_for_a_signal() -> None:
    """Say `ready`, and wait until a signal's handler ends the process.

    Not with `signal.pause()`: a signal that comes right before it is handled after it, which is never.
    """
    os.write(1, b"ready\n")
    while True:
        time.sleep(0.05)
