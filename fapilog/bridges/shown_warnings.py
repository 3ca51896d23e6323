"""Stage 1 of 7, emit: where a warning was raised that `logging` makes a record of. Thread: caller.

`logging.captureWarnings` makes its record in the library, so the record's place is there. What it is told
about the warning is remembered while it makes the record, for the bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

LOGGER = "py.warnings"
CATEGORY = "fapilog.warning.category"


class Warned(NamedTuple):
    """A warning that is being shown.

    Attributes:
        path: The file that it points at.
        line: The line there.
        category: Its class, with its module unless that is `builtins`.
    """

    path: str
    line: int
    category: str


_shown: ContextVar[Warned | None] = ContextVar("fapilog_shown_warning", default=None)


class Remembering:
    """Takes the place of `warnings.showwarning`, which it calls in turn.

    Attributes:
        show: What it calls.
    """

    def __init__(self, show: Callable[..., Any]) -> None:
        self.show = show

    def __call__(  # noqa: PLR0913, PLR0917 - the signature of `warnings.showwarning`
        self,
        message: Any,
        category: Any,
        filename: Any,
        lineno: Any,
        file: Any = None,
        line: Any = None,
    ) -> None:
        """Show a warning."""
        token = _shown.set(Warned(str(filename), lineno, _name(category)) if file is None else None)
        try:
            self.show(message, category, filename, lineno, file, line)
        finally:
            _shown.reset(token)


def shown_now() -> Warned | None:
    """Return the warning that `logging` is making a record of; None: somebody else logs."""
    return _shown.get()


def _name(category: Any) -> str:
    name = str(getattr(category, "__qualname__", category))
    module = getattr(category, "__module__", "builtins")
    return name if module == "builtins" else f"{module}.{name}"
