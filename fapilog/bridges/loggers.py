"""Native loggers by name, for bridges. Thread: caller."""

from __future__ import annotations

from typing import Any

from fapilog import _native
from fapilog.logger import default_handle
from fapilog.values import valid_text

# Names come from outside, so memory needs a bound.
_NAMES_LIMIT = 4_096


class Loggers(dict[Any, _native.Logger]):
    """Makes a logger for each name on first use.

    Args:
        handle: Where their records go. Default: the pipeline of the process.

    Example:
        >>> Loggers()["orders"].name
        'orders'
    """

    def __init__(self, handle: _native.PipelineHandle | None = None) -> None:
        super().__init__()
        self.handle = default_handle if handle is None else handle

    def __missing__(self, name: Any) -> _native.Logger:
        if len(self) >= _NAMES_LIMIT:
            self.clear()
        logger = self[name] = _native.Logger(self.handle, valid_text(name))
        return logger
