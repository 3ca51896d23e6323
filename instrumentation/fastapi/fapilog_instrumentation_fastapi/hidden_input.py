"""Takes what was validated out of the texts of exceptions. Thread: caller.

`str()` of FastAPI's validation exceptions has every error with its input, and that of pydantic's has
`input_value=`. Both stand in the message, and in the stack of every exception that they caused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi.exceptions import ValidationException

# Frames of one traceback in such a stack, as in other stacks of fapilog.
FRAMES_LIMIT = 64
_LONGEST_CHAIN = 100
_PYDANTIC = re.compile(r"input_value=.*, input_type=")
# What groups put before the lines of their exceptions.
_MARGIN = " |+-"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception with its causes, contexts and the members of groups, each once, at most 100."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _LONGEST_CHAIN:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [each for each in (one.__cause__, one.__context__, *group) if each is not None]


def without_input(error: BaseException, text: str) -> str:
    """Return a message or a stack of `error` without the input of validations.

    Example:
        >>> from fastapi.exceptions import ResponseValidationError
        >>> error = ResponseValidationError([{"type": "int_parsing", "input": "4111"}])
        >>> without_input(error, str(error))
        '1 validation error:'
    """
    hidden = {
        line.lstrip(_MARGIN)
        for each in chain(error)
        if isinstance(each, ValidationException)
        for detail in each.errors()
        for line in f"  {detail}".splitlines()
    }
    kept = [line for line in text.splitlines() if line.lstrip(_MARGIN) not in hidden]
    return _PYDANTIC.sub("input_type=", "\n".join(kept))
