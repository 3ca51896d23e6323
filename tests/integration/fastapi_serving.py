"""What the tests of served FastAPI applications share: a server, its load, and what arrived."""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.fastapi_load import RECORDS, trace_of
from tests.integration.harness import PROGRAMS, ROOT
from tests.integration.zero_code import BIN, variables
from tests.servers.collector import Collector

ACCESS = {"fapilog.http.server.request", "fapilog.websocket.server.connection"}
# Who logs about more than one request.
OUTSIDE = {"uvicorn.error", "gunicorn.error", "hypercorn.error", "fapilog.application"}
_PACKAGE = ROOT / "instrumentation" / "fastapi"


class Answers(NamedTuple):
    """What the load saw: by kind the ids that were answered completely, and how many requests broke."""

    answered: dict[str, list[str]]
    broken: int

    @classmethod
    def of(cls, line: str) -> "Answers":
        """Read the last line that the load prints."""
        told = json.loads(line)
        return cls(told["answered"], told["broken"])


class Server:
    """A server in the folder of the programs, ended at the end of the block.

    Args:
        command: How it is started; `PORT` stands for its port.
        port: The port.
        receiver: Where its telemetry goes.
        written: The file that it writes to. Nobody reads a pipe while a load goes on, and what a pipe cannot
            take would stop the server.
        zero_code: Whether it runs under `opentelemetry-instrument`.
        more: Further variables.
    """

    def __init__(
        self,
        command: str,
        port: int,
        receiver: OtlpReceiver | Collector,
        written: Path,
        *,
        zero_code: bool = False,
        **more: str,
    ) -> None:
        words = command.replace("PORT", str(port)).split()
        wrapper = [str(BIN / "opentelemetry-instrument")] if zero_code else []
        paths = {"PYTHONPATH": f"{ROOT}:{_PACKAGE}"}
        self.port = port
        self.written = written
        with written.open("w") as file:
            self.process = subprocess.Popen(
                [*wrapper, str(BIN / words[0]), *words[1:]],
                cwd=PROGRAMS,
                env=variables(receiver, **paths, **more),
                stdout=file,
                stderr=file,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_serves(self) -> None:
        """Ask whether it is ready until it answers."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                assert httpx.get(f"{self.url}/readyz", timeout=20).json()["status"] == "ready"
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(
            f"it does not serve; its status is {self.process.poll()}:\n{self.written.read_text()}"
        )


def start_load(port: int, *arguments: str) -> "subprocess.Popen[str]":
    """Start the load in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.fastapi_load", str(port), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def of_requests(records: Iterable[ReceivedLogRecord]) -> list[ReceivedLogRecord]:
    """The records of the application's own logger, and access records but those of other paths."""
    return [record for record in records if record.scope_name == "loaded" or record.event_name in ACCESS]


def asked(record: ReceivedLogRecord) -> str:
    """The id that the request of a record sent, as the record itself tells: not what was bound."""
    told: Any = record.attributes.get("asked") or record.attributes["url.path"].rpartition("/")[2]
    return str(told)


def assert_each_has_its_own_ids(records: Iterable[ReceivedLogRecord]) -> None:
    """No record without correlation id, trace and span, and none with those of another request."""
    strangers = [
        record
        for record in records
        if record.attributes.get("fapilog.correlation_id") != asked(record)
        or record.trace_id != trace_of(asked(record))
        or not record.span_id
    ]
    assert strangers == []


def assert_nobody_mixes_ids(records: Iterable[ReceivedLogRecord]) -> None:
    """Whoever logs below a request, the server too, has the trace that belongs to its correlation id."""
    pairs = {(each.attributes.get("fapilog.correlation_id"), each.trace_id) for each in records}
    loaded = [(found, trace) for found, trace in pairs if str(found).partition(".")[0] in RECORDS]
    assert [(found, trace) for found, trace in loaded if trace != trace_of(found)] == []
    assert {each.scope_name for each in records if "fapilog.correlation_id" not in each.attributes} <= OUTSIDE


def assert_all_arrived_once(records: Iterable[ReceivedLogRecord], answers: Answers) -> None:
    """What a complete answer means was logged, and its access record, each once."""
    arrived: dict[str, list[str]] = defaultdict(list)
    for record in records:
        arrived[asked(record)].append("access" if record.event_name in ACCESS else str(record.body))
    wrong = {
        request_id: (wanted, got)
        for kind, ids in answers.answered.items()
        for request_id in ids
        if (wanted := sorted([*RECORDS[kind], "access"])) != (got := sorted(arrived[request_id]))
    }
    assert wrong == {}
