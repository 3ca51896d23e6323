"""`logging` as a fresh process has it, and everything put back afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TOUCHED = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access", "shop")
_FIELDS = ("level", "propagate", "disabled")


def _state(logger: logging.Logger) -> dict[str, Any]:
    return {name: getattr(logger, name) for name in _FIELDS} | {"handlers": list(logger.handlers)}


@contextmanager
def bare_logging(level: int = logging.WARNING) -> Iterator[logging.Logger]:
    """Give a root logger without handlers, and loggers at their defaults."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in TOUCHED)]
    before = [(logger, _state(logger)) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate, logger.disabled = [], True, False
        logger.setLevel(logging.NOTSET)
    root.setLevel(level)
    try:
        yield root
    finally:
        for logger, state in before:
            logger.setLevel(state.pop("level"))
            vars(logger).update(state)
