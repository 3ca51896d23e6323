"""One library in one process, driven by JSON lines over pipes.

A process per library keeps their global state apart and lets the parent run them in turns, so that the drift
of the machine hits all alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from benchmarks.libraries import NotInstalledError, load
from benchmarks.servers import ROOT
from benchmarks.surroundings import clean_environment


class WorkerError(Exception):
    """A measurement failed in the worker; the message is its own."""


class Worker:
    """The parent's end.

    Raises:
        NotInstalledError: The library cannot be imported.
    """

    def __init__(self, library: str, **environment: str) -> None:
        self.library = library
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", library],
            cwd=ROOT,
            env={**clean_environment(), "PYTHONHASHSEED": "0", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        reply = self._read()
        if "missing" in reply:
            self.kill()
            raise NotInstalledError(reply["missing"])

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def send(self, task: str, **arguments: Any) -> None:
        """Start a task without waiting for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"task": task, "arguments": arguments}) + "\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        """Wait for the result of the task sent before."""
        reply = self._read()
        if "error" in reply:
            raise WorkerError(f"{self.library}: {reply['error']}")
        return reply["result"]

    def ask(self, task: str, **arguments: Any) -> Any:
        """Run a task and return its result."""
        self.send(task, **arguments)
        return self.receive()

    def kill(self) -> None:
        """End the process without waiting for its queues."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.library}: the worker ended with status {self.process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply


def main(name: str) -> None:
    from benchmarks.tasks import Tasks

    # Standard output carries replies only; what a library prints goes to standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(**data: Any) -> None:
        replies.write(json.dumps(data) + "\n")
        replies.flush()

    try:
        tasks = Tasks(load(name))
    except NotInstalledError as error:
        reply(missing=str(error))
        return
    reply(result="ready")
    for line in sys.stdin:
        command = json.loads(line)
        try:
            reply(result=getattr(tasks, command["task"])(**command["arguments"]))
        except Exception as error:
            reply(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
