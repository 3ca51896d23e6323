"""An OTLP/HTTP receiver in a process of its own that fails as it is told, and knows every record by number.

Commands are lines on standard input, each answered by one line of JSON: `fault refused`, `fault 503`,
`fault slow`, `heal`, `stats`, and `answer` with one of `benchmarks.slow_answers`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import slow_answers
from benchmarks.servers import ROOT, stop
from benchmarks.slow_answers import Slowly

if TYPE_CHECKING:
    from fapilog.testing import Answer, OtlpReceiver

SLOW_SECONDS = 0.25
# The attribute of the rows that carries the number (`tasks.Tasks.numbered`).
NUMBER = "user_id"


def command(receiver: OtlpReceiver, words: list[str], state: dict[str, bool]) -> Any:
    """Carry out one command."""
    from fapilog.testing import CloseWithoutAnswer, Ok, Status

    answers: dict[str, Answer] = {
        "503": Status(503),
        "429": Status(429, 1),
        "cut": CloseWithoutAnswer(True),
        "slow": Slowly(SLOW_SECONDS),
    }
    if words == ["stats"]:
        # A report of what was lost has none.
        records = (record.attributes for record in receiver.log_records)
        numbers = [attributes[NUMBER] for attributes in records if NUMBER in attributes]
        requests = receiver.requests
        return {"records": len(numbers), "distinct": len(set(numbers)), "requests": len(requests)}
    if words == ["fault", "refused"]:
        receiver.refuse_connections()
        state["refused"] = True
    elif words[0] == "fault":
        receiver.answer_always_with(answers[words[1]])
    elif words[0] == "answer":
        receiver.answer_always_with(slow_answers.named(words[1:]))
    elif words == ["heal"]:
        receiver.answer_always_with(Ok())
        if state.pop("refused", False):
            receiver.accept_again()
    else:
        raise ValueError(f"unknown command {words}")
    return "done"


def main() -> None:
    from fapilog.testing import OtlpReceiver

    state: dict[str, bool] = {}
    with OtlpReceiver() as receiver:
        print(json.dumps(receiver.endpoint), flush=True)
        for line in sys.stdin:
            print(json.dumps(command(receiver, line.split(), state)), flush=True)


@dataclass
class FaultReceiver:
    """The parent's end."""

    process: subprocess.Popen[str]
    endpoint: str

    def tell(self, text: str) -> Any:
        """Send a command and return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return answer(self.process)


def answer(process: subprocess.Popen[str]) -> Any:
    """Read one line of the receiver."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the fault receiver ended with status {process.wait()}")
    return json.loads(line)


@contextmanager
def fault_receiver() -> Iterator[FaultReceiver]:
    """Run the receiver on a free port of the loopback."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "FAPILOG_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fault_receiver"],
        cwd=ROOT,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield FaultReceiver(process, answer(process))
    finally:
        stop(process)


if __name__ == "__main__":
    main()
