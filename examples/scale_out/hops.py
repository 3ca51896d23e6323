"""Starts the hops: service processes and Collectors, as a deployment would."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def start_service(name: str, brokers: str, directory: Path, records: int, per_second: int) -> "Service":
    """Start a service process that logs, with a spool, crash-safe, each record with an id of its own."""
    return Service(name, brokers, directory, records, per_second)


class Service:
    """A service process, and what it printed at its end."""

    def __init__(self, name: str, brokers: str, directory: Path, records: int, per_second: int) -> None:
        self.records = records
        variables = {
            "FAPILOG_EXPORTERS": "kafka",
            "FAPILOG_KAFKA_BROKERS": brokers,
            "FAPILOG_SPOOL_DIRECTORY": str(directory),
            "FAPILOG_DURABILITY": "process",
            "FAPILOG_RECORD_UID": "on",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        }
        command = [sys.executable, str(HERE / "service.py"), name, str(records), str(per_second)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """End it at once (SIGKILL), if it runs still."""
        self.process.kill()
        self.process.communicate()

    def wait(self, seconds: float) -> dict[str, int]:
        """Wait for its end, and return what it says of its records."""
        out, err = self.process.communicate(timeout=seconds)
        if self.process.returncode:
            raise RuntimeError(f"the service ended with {self.process.returncode}: {err}")
        said: dict[str, int] = json.loads(out)
        return said


class GroupCollector:
    """A Collector of the group, with `collector.yaml`.

    Args:
        binary: Of the Collector.
        brokers: Of Kafka.
        destination: URL that it posts to.
        log: Where what it says goes.
    """

    def __init__(self, binary: Path, brokers: str, destination: str, log: Path) -> None:
        self._command = [str(binary), "--config", str(HERE / "collector.yaml")]
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._variables = kept | {"KAFKA_BROKERS": brokers, "DESTINATION": destination}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._variables, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def written(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""


def wait_until(true: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: With what `what` says.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.1)
