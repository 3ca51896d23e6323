"""Random numbers of this package's own: an application may seed the ones of the process. Thread: caller."""

from __future__ import annotations

import os
import random

# Seeded by the system, and again in every forked child: unique, not secret.
numbers = random.Random()  # noqa: S311  # nosec B311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=numbers.seed)
