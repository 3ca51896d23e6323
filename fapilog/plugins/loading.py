"""Runs code of a plugin within a time. Threads: one of its own for each step; the configuring one waits.

Nobody can stop Python code that hangs. Its thread is left behind, and the plugin is left out.
"""

from __future__ import annotations

import contextvars
import re
import sys
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from typing import Any

from fapilog.plugins.metadata import check_contract

_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
# How OpenTelemetry's instrumentors name, in an extra of their package, what they instrument.
_INSTRUMENTED = re.compile(r"([\w.-]+).*;.*\bextra\s*==\s*['\"]instruments(-any)?['\"]")


def within(seconds: float, step: Callable[[], Any]) -> Any:
    """Return what a step returns; what it raises is raised here.

    While this thread imports a module the step runs here, without a bound: it may need that very module,
    whose lock this thread holds.

    Raises:
        TimeoutError: It took longer.
    """
    if _imports_now():
        return step()
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(step())
        except BaseException as error:  # a module that exits is an answer too
            failed.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="fapilog-plugin", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is ending
        return step()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"it did not answer within {seconds:g} s")
    return found[0]


def imported(point: EntryPoint) -> Any:
    """Return what an entry point points at, made for a contract that this fapilog keeps.

    Raises:
        TypeError: Another contract, or nothing; or whatever its module raises.
    """
    target = point.load()
    check_contract(target, module_of(point))
    if target is None:
        raise TypeError("it points at None")
    return target


def module_of(point: EntryPoint) -> str:
    """Return the name of the module that an entry point names."""
    return point.value.partition(":")[0].strip()


def not_installed(point: EntryPoint) -> str:
    """Return what the package of an instrumentor is for, if none of it is installed; else an empty text."""
    requires = (point.dist.requires if point.dist is not None else None) or ()
    wanted = dict.fromkeys(found[1] for each in requires if (found := _INSTRUMENTED.match(each)))
    return "" if any(map(_is_installed, wanted)) else " or ".join(wanted)


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _imports_now() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
