"""The standard library's `logging`, in its cheapest, its usual and its queued form."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.libraries.base import Library
from benchmarks.scenarios import TEN, Scenario

_NAMES = tuple(TEN | {"tenant": 0, "request_id": 0, "shard": 0})


class JsonFormatter(logging.Formatter):
    """One JSON object per line, as the usual recipes write it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values = record.__dict__
        line = {
            "time": record.created,
            "level": record.levelname,
            "message": record.getMessage(),
            **{name: values[name] for name in _NAMES if name in values},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class StdlibNull(Library):
    """A NullHandler: makes the LogRecord and throws it away. The floor of `logging`."""

    name = "stdlib null"
    distribution = "python"
    imports = "logging"
    style = "extra"

    def handler(self) -> logging.Handler:
        """Return the handler to install."""
        return logging.NullHandler()

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:  # noqa: ARG002
        """Install the handler on a logger that does not propagate."""
        self._log = logging.getLogger("shop")
        self._log.propagate = False
        self._log.setLevel(logging.INFO)
        self._log.addHandler(self.handler())

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method."""
        return getattr(self._log, scenario.level)


class StdlibJson(StdlibNull):
    """JSON lines written to the null device."""

    name = "stdlib json"

    def handler(self) -> logging.Handler:
        """Return a stream handler on the null device."""
        handler = logging.StreamHandler(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        handler.setFormatter(JsonFormatter())
        return handler


class StdlibFile(StdlibNull):
    """A FileHandler of JSON lines: every record is written before its call returns."""

    name = "stdlib file"

    def handler(self) -> logging.Handler:
        """Return a handler on the file that the environment names."""
        handler = logging.FileHandler(os.environ["BENCHMARK_FILE"], encoding="utf-8")
        handler.setFormatter(JsonFormatter())
        return handler


class StdlibQueue(StdlibNull):
    """QueueHandler with a QueueListener that formats JSON in its thread, after `flush()` when held."""

    name = "stdlib queue"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Install the queue; `hold` delays the listener until `flush()`."""
        self._queue: SimpleQueue[Any] = SimpleQueue()
        target = logging.StreamHandler(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        target.setFormatter(JsonFormatter())
        self._count = 0
        target.addFilter(self._counted)
        self._listener = QueueListener(self._queue, target)
        self._hold = hold
        if not hold:
            self._listener.start()
        super().prepare(endpoint, hold=hold)

    def _counted(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        self._count += 1
        return True

    def handler(self) -> logging.Handler:
        """Return the queue handler."""
        return QueueHandler(self._queue)

    def flush(self) -> bool:
        """Let the listener empty the queue: `stop()` waits for it."""
        if self._hold:
            self._listener.start()
            self._listener.stop()
        else:
            self._listener.stop()
            self._listener.start()
        return True

    def delivered(self) -> int:
        """Return the records that the listener wrote."""
        return self._count
